package recovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/directory"
)

// ErrNotOffered: the pool, its plan or its Region does not offer recoveries. It is also
// [directory.ErrNotFound].
var ErrNotOffered = fmt.Errorf("the pool does not offer point-in-time recoveries: %w", directory.ErrNotFound)

// Client makes the calls for one pool. It is safe for concurrent use. Make one with [New].
type Client struct {
	options cip.Options
	poolID  string
	url     string
	http    aws.HTTPClient
	pause   func(context.Context, int) error
}

var _ directory.Recoveries = (*Client)(nil)

// New returns a client with the credentials, the Region and the endpoint of the SDK's client.
// It makes no network calls.
func New(ctx context.Context, client *cip.Client, poolID string) (*Client, error) {
	o := client.Options()
	if o.Credentials == nil || poolID == "" {
		return nil, errors.New("configure recoveries of a pool: the client needs credentials, and the pool an id")
	}
	c := &Client{options: o, poolID: poolID, url: aws.ToString(o.BaseEndpoint), http: o.HTTPClient, pause: pause}
	if c.url == "" {
		at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, cip.EndpointParameters{
			Region: &o.Region, UseFIPS: aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		})
		if err != nil {
			return nil, fmt.Errorf("configure recoveries of a pool: %w", err)
		}
		c.url = at.URI.String()
	}
	c.url = strings.TrimSuffix(c.url, "/") + "/"
	if c.http == nil {
		c.http = http.DefaultClient
	}
	return c, nil
}

// Restoration is a recovery with its preview.
type Restoration struct {
	directory.Recovery
	Preview []Changes // empty: the pool does not say
}

// Changes counts what a recovery does to one kind of thing: Users, Groups, User MFAs, Passkeys.
type Changes struct {
	Entity                 string
	Create, Update, Delete int
}

// restoration is one as the API has it; times are in seconds.
type restoration struct {
	RestoreID        string `json:"RestoreId"`
	RestoreStatus    string
	RestoreTimestamp float64
	TriggerTimestamp float64
	RestorePreview   []struct {
		Entity                                string
		CreateCount, UpdateCount, DeleteCount int
	}
}

const usersEntity = "Users"

func (r restoration) read() (Restoration, error) {
	if r.RestoreID == "" || r.RestoreStatus == "" {
		return Restoration{}, fmt.Errorf("%w: a recovery has no id or status", directory.ErrUnavailable)
	}
	out := Restoration{Recovery: directory.Recovery{
		ID: r.RestoreID, Status: directory.RecoveryStatus(r.RestoreStatus), To: timeOf(r.RestoreTimestamp), Asked: timeOf(r.TriggerTimestamp),
	}}
	for _, c := range r.RestorePreview {
		out.Preview = append(out.Preview, Changes{c.Entity, c.CreateCount, c.UpdateCount, c.DeleteCount})
		if c.Entity == usersEntity {
			out.Deletes = aws.Int(c.DeleteCount)
		}
	}
	return out, nil
}

// timeOf reads a time in seconds. Zero, or one that is none, is no time.
func timeOf(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 1e12) {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}

// Initiate has the pool count what a recovery to a time would change. From then on the pool
// refuses changes of users, until the recovery is cancelled, completed, failed or a day old.
func (c *Client) Initiate(ctx context.Context, to time.Time) (Restoration, error) {
	return c.one(ctx, "InitiatePointInTimeRecovery", map[string]any{"RestoreTimestamp": float64(to.UnixMilli()) / 1000})
}

// Start changes the pool. It cannot be cancelled.
func (c *Client) Start(ctx context.Context, id string) (Restoration, error) {
	return c.one(ctx, "StartPointInTimeRecovery", map[string]any{"RestoreId": id})
}

// Cancel ends a recovery that was not started. The pool takes changes again.
func (c *Client) Cancel(ctx context.Context, id string) (Restoration, error) {
	return c.one(ctx, "CancelPointInTimeRecovery", map[string]any{"RestoreId": id})
}

// Describe returns a recovery, with its preview where the pool still has it.
func (c *Client) Describe(ctx context.Context, id string) (Restoration, error) {
	return c.one(ctx, "DescribePointInTimeRecovery", map[string]any{"RestoreId": id})
}

// Latest implements [directory.Recoveries].
func (c *Client) Latest(ctx context.Context) (directory.Recovery, error) {
	var out struct{ Restorations []restoration }
	if err := c.call(ctx, "ListPointInTimeRecoveries", map[string]any{"MaxResults": 1}, &out); err != nil {
		return directory.Recovery{}, err
	}
	if len(out.Restorations) == 0 {
		return directory.Recovery{}, fmt.Errorf("recoveries of pool %s: %w", c.poolID, directory.ErrNotFound)
	}
	listed, err := out.Restorations[0].read()
	if err != nil {
		return directory.Recovery{}, err
	}
	if !listed.Asked.IsZero() && listed.Deletes != nil {
		return listed.Recovery, nil
	}
	described, err := c.Describe(ctx, listed.ID)
	if errors.Is(err, directory.ErrRefused) { // to list may be all that this process is allowed
		return listed.Recovery, nil
	}
	return described.Recovery, err
}

func (c *Client) one(ctx context.Context, operation string, in map[string]any) (Restoration, error) {
	var out struct{ Restoration restoration }
	if err := c.call(ctx, operation, in, &out); err != nil {
		return Restoration{}, err
	}
	r, err := out.Restoration.read()
	if err != nil {
		err = fmt.Errorf("%s: %w", operation, err)
	}
	return r, err
}

const (
	attempts  = 5
	timeout   = 20 * time.Second
	maxAnswer = 1 << 20
)

// call makes a call, and again where the pool throttled it: then nothing was done. One that
// only reads is made again where the pool does not answer, too.
func (c *Client) call(ctx context.Context, operation string, in map[string]any, out any) error {
	in["UserPoolId"] = c.poolID
	for failed := 1; ; failed++ {
		err := c.once(ctx, operation, in, out)
		if err == nil {
			return nil
		}
		reads := strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Describe")
		again := errors.Is(err, directory.ErrThrottled) || reads && errors.Is(err, directory.ErrUnavailable)
		if !again || failed == attempts || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", operation, err)
		}
		if err := c.pause(ctx, failed); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, failed int) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Second << (failed - 1)):
		return nil
	}
}

func (c *Client) once(ctx context.Context, operation string, in map[string]any, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	who, err := c.options.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w: find the credentials that the AWS tools use: %w", directory.ErrUnavailable, err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), "cognito-idp", c.options.Region, time.Now()); err != nil {
		return err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: read the answer: %w", directory.ErrUnavailable, err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("%w: the answer is not of that operation", directory.ErrUnavailable)
		}
		return nil
	}
	return judge(response.StatusCode, answer)
}

// Refusal is what the pool says against a call. It wraps an error of package directory.
type Refusal struct {
	Code    string
	Message string
	verdict error
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%v: %s %s", r.verdict, r.Code, r.Message) }

// ErrorCode returns the code, as errors of the SDK do.
func (r *Refusal) ErrorCode() string { return r.Code }

// Unwrap returns ErrNotOffered, or ErrRefused, ErrThrottled or ErrUnavailable of package directory.
func (r *Refusal) Unwrap() error { return r.verdict }

// judge reads a refusal.
func judge(status int, answer []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer, &said) // a page of something in between has neither
	r := &Refusal{Code: printable(said.Type[strings.LastIndexByte(said.Type, '#')+1:], 64), Message: printable(said.Message, 300)}
	switch {
	case r.Code == "TooManyRequestsException", r.Code == "ThrottlingException", status == http.StatusTooManyRequests:
		r.verdict = directory.ErrThrottled
	case r.Code == "FeatureUnavailableInTierException", r.Code == "OperationNotEnabledException", r.Code == "UnknownOperationException",
		status == http.StatusNotImplemented, status == http.StatusNotFound && r.Code == "":
		r.verdict = ErrNotOffered
	case status >= 500, r.Code == "", r.Code == "InternalErrorException", r.Code == "ExpiredTokenException":
		r.verdict = directory.ErrUnavailable
	default:
		r.verdict = directory.ErrRefused
	}
	return r
}

// printable keeps what can go into a log.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}
