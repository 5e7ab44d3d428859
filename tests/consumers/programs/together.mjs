// AWS SDK for JavaScript v3: many clients ask GetCallerIdentity at once, for every line on stdin.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromProcess } from "@aws-sdk/credential-providers";

// Each client runs credproc for itself, as modules of a program do that make one each.
const clients = Array.from({ length: Number(process.argv[2]) }, () => new STSClient({
  region: "eu-central-1",
  endpoint: process.env.STS,
  maxAttempts: 1,
  credentials: fromProcess({ profile: process.env.PROFILE }),
}));
for await (const _ of createInterface({ input: process.stdin })) {
  try {
    await Promise.all(clients.map((each) => each.send(new GetCallerIdentityCommand({}))));
    console.log("done");
  } catch (error) {
    console.log(String(error));
  }
}
