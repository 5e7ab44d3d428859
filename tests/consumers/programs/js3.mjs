// AWS SDK for JavaScript v3: GetCallerIdentity for every number on stdin. The credentials are those
// of fromProcess, or of the provider that is named.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import * as providers from "@aws-sdk/credential-providers";

const client = new STSClient({
  region: "eu-central-1",
  endpoint: process.env.STS,
  maxAttempts: 1,
  credentials: providers[process.argv[2] ?? "fromProcess"]({ profile: process.env.PROFILE }),
});
for await (const line of createInterface({ input: process.stdin })) {
  for (let each = 0; each < Number(line); each += 1) {
    await client.send(new GetCallerIdentityCommand({}));
  }
  console.log("done");
}
