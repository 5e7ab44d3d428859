// AWS SDK for Java v2: GetCallerIdentity for every number on stdin; with an argument, its version.
import java.net.URI;
import java.util.Scanner;
import smfs.shaded.software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import smfs.shaded.software.amazon.awssdk.core.retry.RetryPolicy;
import smfs.shaded.software.amazon.awssdk.core.util.VersionInfo;
import smfs.shaded.software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import smfs.shaded.software.amazon.awssdk.regions.Region;
import smfs.shaded.software.amazon.awssdk.services.sts.StsClient;

public final class Sdk {
  public static void main(String[] arguments) {
    if (arguments.length > 0) {
      System.out.println(VersionInfo.SDK_VERSION);
      return;
    }
    StsClient client =
        StsClient.builder()
            .credentialsProvider(ProfileCredentialsProvider.create(System.getenv("PROFILE")))
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
