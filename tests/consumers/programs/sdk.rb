# AWS SDK for Ruby: GetCallerIdentity for every number on stdin.
require "aws-sdk-core"

client = Aws::STS::Client.new(
  profile: ENV["PROFILE"], region: "eu-central-1", endpoint: ENV["STS"], retry_limit: 0
)
$stdout.sync = true
$stdin.each_line do |line|
  Integer(line).times { client.get_caller_identity }
  puts "done"
end
