// AWS SDK for Go v1: GetCallerIdentity for every number on stdin.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	made := session.Must(session.NewSessionWithOptions(session.Options{
		Profile:           os.Getenv("PROFILE"),
		SharedConfigState: session.SharedConfigEnable,
		Config: aws.Config{
			Region:     aws.String("eu-central-1"),
			Endpoint:   aws.String(os.Getenv("STS")),
			MaxRetries: aws.Int(0),
		},
	}))
	client := sts.New(made)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, _ := strconv.Atoi(lines.Text())
		for each := 0; each < count; each++ {
			if _, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		fmt.Println("done")
	}
}
