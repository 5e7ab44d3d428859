// MinIO's client for Go, which restic and mc use: listings for every number on stdin.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	minio.MaxRetry = 1
	endpoint, err := url.Parse(os.Getenv("S3"))
	if err != nil {
		panic(err)
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:  credentials.NewFileAWSCredentials("", os.Getenv("PROFILE")),
		Region: "eu-central-1",
	})
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, _ := strconv.Atoi(lines.Text())
		for each := 0; each < count; each++ {
			for object := range client.ListObjects(
				context.Background(), "bucket", minio.ListObjectsOptions{}) {
				if object.Err != nil {
					fmt.Fprintln(os.Stderr, object.Err)
					os.Exit(1)
				}
			}
		}
		fmt.Println("done")
	}
}
