// AWS SDK for JavaScript v2: GetCallerIdentity for every number on stdin, with the credentials of the
// profile's process, or of the default chain ("default").
const { createInterface } = require("node:readline");
const AWS = require("aws-sdk");

if (process.argv[2]) process.env.AWS_PROFILE = process.env.PROFILE;
const client = new AWS.STS({
  region: "eu-central-1",
  endpoint: process.env.STS,
  maxRetries: 0,
  credentialProvider: process.argv[2]
    ? new AWS.CredentialProviderChain()
    : new AWS.CredentialProviderChain([
        () => new AWS.ProcessCredentials({ profile: process.env.PROFILE }),
      ]),
});
(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    for (let each = 0; each < Number(line); each += 1) {
      await client.getCallerIdentity({}).promise();
    }
    console.log("done");
  }
})();
