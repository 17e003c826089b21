package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/codegrant/codegrant/directory"
)

// API is what a [Queue] calls. [sqs.Client] fulfils it.
type API interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Config configures a [Queue]. Client and URL are required.
type Config struct {
	// Client is of the region of the queue.
	Client API

	// URL is that of the queue, such as
	// https://sqs.eu-west-1.amazonaws.com/111122223333/codegrant-events.
	URL string

	// Wait is how long one call waits for messages, in whole seconds, at most 20.
	// Defaults to 20 seconds.
	Wait time.Duration

	// Visibility is for how long messages that were received are given to nobody
	// else: longer than it takes to look into them. Defaults to two minutes.
	Visibility time.Duration

	// Timeout is how long a call may take beyond what it waits. Defaults to 15
	// seconds.
	Timeout time.Duration
}

// Queue is a [directory.Queue] in SQS. It is safe for concurrent use.
type Queue struct{ Config }

var _ directory.Queue = (*Queue)(nil)

// Faults of queues.
var (
	// ErrRefused: SQS does not answer as the queue is configured. Asking again does
	// not help; the message says what may.
	ErrRefused = errors.New("the queue refuses")

	// ErrUnavailable: SQS does not answer, or is asked too often. Asking again may
	// help.
	ErrUnavailable = errors.New("queue unavailable")
)

// atOnce is how many messages SQS gives out and takes back in one call.
const atOnce = 10

// New returns a queue. It reaches out to nothing: see [Queue.Check]. The error names
// every fault of the configuration at once.
func New(config Config) (*Queue, error) {
	var faults []error
	if config.Client == nil {
		faults = append(faults, errors.New("no client is set (Client)"))
	}
	if u, err := url.Parse(config.URL); err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" || u.Scheme != "https" && u.Scheme != "http" {
		faults = append(faults, fmt.Errorf("the URL %q is not of the form https://sqs.eu-west-1.amazonaws.com/111122223333/name", config.URL))
	} else if strings.HasSuffix(u.Path, ".fifo") {
		faults = append(faults, errors.New("the URL is that of a FIFO queue, which has one event wait for another: take a standard one"))
	}
	if config.Wait < 0 || config.Wait > 20*time.Second || config.Wait%time.Second != 0 {
		faults = append(faults, fmt.Errorf("it cannot wait for %s: Wait is a number of seconds up to 20", config.Wait))
	}
	if config.Visibility < 0 || config.Visibility > 12*time.Hour || config.Visibility%time.Second != 0 {
		faults = append(faults, fmt.Errorf("messages cannot be hidden for %s: Visibility is a number of seconds up to 12 hours", config.Visibility))
	}
	if config.Timeout < 0 {
		faults = append(faults, fmt.Errorf("the timeout is %s (Timeout), below zero", config.Timeout))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure the queue: %w", errors.Join(faults...))
	}
	if config.Wait == 0 {
		config.Wait = 20 * time.Second
	}
	if config.Visibility == 0 {
		config.Visibility = 2 * time.Minute
	}
	if config.Timeout == 0 {
		config.Timeout = 15 * time.Second
	}
	return &Queue{config}, nil
}

// Receive implements [directory.Queue].
func (q *Queue) Receive(ctx context.Context) ([]directory.Message, error) {
	limited, cancel := context.WithTimeout(ctx, q.Wait+q.Timeout)
	defer cancel()
	out, err := q.Client.ReceiveMessage(limited, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: atOnce,
		WaitTimeSeconds: int32(q.Wait / time.Second), VisibilityTimeout: int32(q.Visibility / time.Second),
	})
	if err != nil {
		return nil, q.fault(ctx, "receive messages", err)
	}
	messages := make([]directory.Message, 0, len(out.Messages))
	for _, m := range out.Messages {
		messages = append(messages, directory.Message{Body: []byte(aws.ToString(m.Body)), Handle: aws.ToString(m.ReceiptHandle)})
	}
	return messages, nil
}

// Done implements [directory.Queue]. If it cannot delete a message, it continues with the
// other ones. The error has the number of messages that it could not delete.
func (q *Queue) Done(ctx context.Context, messages []directory.Message) error {
	var faults []error
	left := 0
	for first := 0; first < len(messages); first += atOnce {
		some := messages[first:min(first+atOnce, len(messages))]
		n, err := q.done(ctx, some)
		if err != nil {
			left += n
			faults = append(faults, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%d of %d messages stay in the queue, and come again: %w", left, len(messages), errors.Join(faults...))
}

// done returns how many messages stay.
func (q *Queue) done(ctx context.Context, messages []directory.Message) (int, error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.URL}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.Handle)})
	}
	limited, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	out, err := q.Client.DeleteMessageBatch(limited, in)
	if err != nil {
		return len(messages), q.fault(ctx, "delete messages", err)
	}
	if len(out.Failed) == 0 {
		return 0, nil
	}
	f := out.Failed[0]
	verdict := ErrUnavailable
	if f.SenderFault {
		verdict = ErrRefused
	}
	return len(out.Failed), fmt.Errorf("delete messages: %w: %.64s: %.200s", verdict, aws.ToString(f.Code), aws.ToString(f.Message))
}

// State is what SQS says about a queue.
type State struct {
	Waiting    int  // messages that can be received, about
	InFlight   int  // messages that somebody looks into, about
	DeadLetter bool // messages that fail too often go to another queue
}

// Check asks whether the queue is there and may be used. It needs
// sqs:GetQueueAttributes, and changes nothing.
func (q *Queue) Check(ctx context.Context) (State, error) {
	limited, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	out, err := q.Client.GetQueueAttributes(limited, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible, types.QueueAttributeNameRedrivePolicy,
	}})
	if err != nil {
		return State{}, q.fault(ctx, "look at the queue", err)
	}
	number := func(name types.QueueAttributeName) int {
		n, _ := strconv.Atoi(out.Attributes[string(name)]) // it is about anyway
		return n
	}
	return State{
		Waiting:    number(types.QueueAttributeNameApproximateNumberOfMessages),
		InFlight:   number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
		DeadLetter: out.Attributes[string(types.QueueAttributeNameRedrivePolicy)] != "",
	}, nil
}

// fault says what an error of SQS means, and what helps.
func (q *Queue) fault(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	fault := func(verdict error, advice string) error {
		return fmt.Errorf("%s of %s: %w%s: %w", what, q.URL, verdict, advice, err)
	}
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return fault(ErrUnavailable, "")
	}
	var answered interface{ HTTPStatusCode() int }
	status := 0
	if errors.As(err, &answered) {
		status = answered.HTTPStatusCode()
	}
	// Codes come in the form of today and in that of SQS's first protocol.
	code := coded.ErrorCode()
	switch code[strings.LastIndexByte(code, '.')+1:] {
	case "QueueDoesNotExist", "NonExistentQueue", "QueueDeletedRecently":
		return fault(ErrRefused, ": there is no such queue: check its URL and region, or make it")
	case "InvalidAddress":
		return fault(ErrRefused, ": this is not a URL of a queue: SQS shows it with get-queue-url")
	case "AccessDenied", "AccessDeniedException":
		return fault(ErrRefused, ": allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on the queue")
	case "KmsAccessDenied", "KMS.AccessDeniedException":
		return fault(ErrRefused, ": allow kms:Decrypt on the key of the queue")
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurity":
		return fault(ErrRefused, ": check the AWS credentials")
	case "RequestThrottled", "ThrottlingException", "Throttling", "OverLimit", "KmsThrottled", "ExpiredToken", "ExpiredTokenException", "RequestTimeTooSkewed":
		return fault(ErrUnavailable, "")
	}
	if strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "Kms") {
		return fault(ErrRefused, ": the key of the queue cannot be used")
	}
	if status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests {
		return fault(ErrRefused, "")
	}
	return fault(ErrUnavailable, "")
}

// Region returns the region that a queue's URL is of, or nothing where it does not
// say.
func Region(queueURL string) string {
	u, err := url.Parse(queueURL)
	if err != nil {
		return ""
	}
	labels := strings.Split(strings.ToLower(u.Hostname()), ".")
	for i, label := range labels {
		switch {
		case (label == "sqs" || label == "sqs-fips") && i+2 < len(labels):
			return labels[i+1] // sqs.eu-west-1.amazonaws.com, vpce-….sqs.eu-west-1.vpce.amazonaws.com
		case label == "queue" && i == 1 && len(labels) > 2:
			return labels[0] // eu-west-1.queue.amazonaws.com
		}
	}
	return ""
}
