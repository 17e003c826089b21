package sqsqueue_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/sqsqueue"
)

// Change events of a pool come through a queue. The client is of the queue's region.
func Example() {
	const url = "https://sqs.eu-west-1.amazonaws.com/111122223333/codegrant-events"
	aws, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(sqsqueue.Region(url)))
	if err != nil {
		log.Fatal(err)
	}
	queue, err := sqsqueue.New(sqsqueue.Config{Client: sqs.NewFromConfig(aws), URL: url})
	if err != nil {
		log.Fatal(err)
	}
	var _ directory.Queue = queue // for a directory.Worker
	fmt.Println(aws.Region)
	// Output: eu-west-1
}
