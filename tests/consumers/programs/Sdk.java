// AWS SDK for Java v2: GetCallerIdentity for every number on stdin, with the profile's credentials,
// or with those of the default chain ("default"). "version" prints the SDK's.
import java.net.URI;
import java.util.Scanner;
import smfs.shaded.software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import smfs.shaded.software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import smfs.shaded.software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import smfs.shaded.software.amazon.awssdk.core.retry.RetryPolicy;
import smfs.shaded.software.amazon.awssdk.core.util.VersionInfo;
import smfs.shaded.software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import smfs.shaded.software.amazon.awssdk.regions.Region;
import smfs.shaded.software.amazon.awssdk.services.sts.StsClient;

public final class Sdk {
  public static void main(String[] arguments) {
    String asked = arguments.length > 0 ? arguments[0] : "";
    if (asked.equals("version")) {
      System.out.println(VersionInfo.SDK_VERSION);
      return;
    }
    AwsCredentialsProvider credentials =
        asked.equals("default")
            ? DefaultCredentialsProvider.builder().profileName(System.getenv("PROFILE")).build()
            : ProfileCredentialsProvider.create(System.getenv("PROFILE"));
    StsClient client =
        StsClient.builder()
            .credentialsProvider(credentials)
            .region(Region.EU_CENTRAL_1)
            .endpointOverride(URI.create(System.getenv("STS")))
            .overrideConfiguration(made -> made.retryPolicy(RetryPolicy.none()))
            .httpClient(UrlConnectionHttpClient.create())
            .build();
    Scanner lines = new Scanner(System.in);
    while (lines.hasNextInt()) {
      for (int left = lines.nextInt(); left > 0; left--) {
        client.getCallerIdentity();
      }
      System.out.println("done");
    }
  }
}
