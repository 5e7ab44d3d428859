<?php // AWS SDK for PHP: GetCallerIdentity for every number on stdin, with the credentials of the
// profile's process, or of the default chain ("default").
require $argv[1];

use Aws\Credentials\CredentialProvider;
use Aws\Sts\StsClient;

$process = CredentialProvider::process("profile " . getenv("PROFILE"), getenv("HOME") . "/.aws/config");
if (($argv[2] ?? "") == "default") {
    putenv("AWS_PROFILE=" . getenv("PROFILE"));
    $process = CredentialProvider::defaultProvider();
}
$client = new StsClient([
    "region" => "eu-central-1",
    "endpoint" => getenv("STS"),
    "credentials" => CredentialProvider::memoize($process),
    "retries" => 0,
]);
while (($line = fgets(STDIN)) !== false) {
    for ($each = 0; $each < (int) $line; $each++) {
        $client->getCallerIdentity();
    }
    echo "done\n";
}
