// AWS SDK for JavaScript v3, its default chain: GetCallerIdentity for every number on stdin.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromNodeProviderChain } from "@aws-sdk/credential-providers";

const client = new STSClient({
  region: "eu-central-1",
  endpoint: process.env.STS,
  maxAttempts: 1,
  credentials: fromNodeProviderChain({ profile: process.env.PROFILE }),
});
for await (const line of createInterface({ input: process.stdin })) {
  for (let each = 0; each < Number(line); each += 1) {
    await client.send(new GetCallerIdentityCommand({}));
  }
  console.log("done");
}
