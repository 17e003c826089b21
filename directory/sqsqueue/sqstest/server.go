package sqstest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults are what goes wrong. The zero value is nothing.
type Faults struct {
	// Repeat is the share, from 0 to 1, of messages that are given out although
	// somebody has them, or has taken them from the queue, as SQS does now and then.
	Repeat float64

	// Delay is how long a message takes, at most, until it can be received.
	Delay time.Duration

	// Keep is the share of deletions that fail.
	Keep float64

	// Refuse is asked about every call, and answers it with a status and an error
	// code unless the status is 0.
	Refuse func(operation string) (status int, code string)
}

// Server is an SQS with one queue. Its order is chance, as that of a standard queue
// may be. Make one with [New].
type Server struct {
	mu       sync.Mutex // guards the fields below
	faults   Faults
	random   *rand.Rand
	messages []*message
	taken    []*message // from the queue, of which some come again
	last     int
	calls    map[string]int
	changed  chan struct{} // closed when a message comes, and replaced
}

type message struct {
	id       string
	body     string
	visible  time.Time // from when on it can be received
	received int
	handle   string
	again    bool // it came after it had been taken from the queue
}

// Path is that of the URL of the queue.
const Path = "/000000000000/events"

var _ http.Handler = (*Server)(nil)

// New returns an empty queue. The same seed gives the same random events.
func New(seed uint64) *Server {
	return &Server{random: rand.New(rand.NewPCG(seed, 1)), calls: make(map[string]int), changed: make(chan struct{})}
}

// Set has other things go wrong from now on.
func (s *Server) Set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Send puts a message into the queue.
func (s *Server) Send(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(body)
}

func (s *Server) send(body string) string {
	s.last++
	m := &message{id: fmt.Sprintf("00000000-0000-0000-0000-%012d", s.last), body: body, visible: time.Now()}
	if s.faults.Delay > 0 {
		m.visible = m.visible.Add(time.Duration(s.random.Int64N(int64(s.faults.Delay))))
	}
	s.messages = append(s.messages, m)
	close(s.changed)
	s.changed = make(chan struct{})
	return m.id
}

// Len is how many messages are in the queue, those that somebody has included.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// Calls is how often an operation was called.
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

func (s *Server) chance(share float64) bool { return share > 0 && s.random.Float64() < share }

// request is what the operations have in common.
type request struct {
	QueueURL            string `json:"QueueUrl"`
	MaxNumberOfMessages int
	WaitTimeSeconds     int
	VisibilityTimeout   *int
	MessageBody         string
	Entries             []struct{ Id, ReceiptHandle string }
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var in request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil || !ok {
		refuse(w, http.StatusBadRequest, "InvalidAction")
		return
	}
	s.mu.Lock()
	s.calls[operation]++
	faulty := s.faults.Refuse
	s.mu.Unlock()
	if faulty != nil {
		if status, code := faulty(operation); status != 0 {
			refuse(w, status, code)
			return
		}
	}
	if !strings.HasSuffix(in.QueueURL, Path) {
		refuse(w, http.StatusBadRequest, "QueueDoesNotExist")
		return
	}
	var out any
	switch operation {
	case "SendMessage":
		s.mu.Lock()
		out = map[string]any{"MessageId": s.send(in.MessageBody), "MD5OfMessageBody": sum(in.MessageBody)}
		s.mu.Unlock()
	case "ReceiveMessage":
		out = s.receive(r.Context(), in)
	case "DeleteMessageBatch":
		if len(in.Entries) == 0 || len(in.Entries) > 10 {
			refuse(w, http.StatusBadRequest, "TooManyEntriesInBatchRequest")
			return
		}
		out = s.delete(in)
	case "GetQueueAttributes":
		out = s.attributes()
	default:
		refuse(w, http.StatusBadRequest, "InvalidAction")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out)
}

// receive waits for messages, as a long poll does.
func (s *Server) receive(ctx context.Context, in request) any {
	deadline := time.NewTimer(time.Duration(in.WaitTimeSeconds) * time.Second)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		found, next := s.take(in)
		changed := s.changed
		s.mu.Unlock()
		if len(found) > 0 || ctx.Err() != nil {
			return map[string]any{"Messages": found}
		}
		wait := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-wait.C:
		case <-deadline.C:
			wait.Stop()
			return map[string]any{}
		}
		wait.Stop()
	}
}

// take gives out what can be received, and says after how long there may be more.
func (s *Server) take(in request) (found []map[string]any, next time.Duration) {
	next = time.Minute
	now := time.Now()
	s.random.Shuffle(len(s.messages), func(i, j int) { s.messages[i], s.messages[j] = s.messages[j], s.messages[i] })
	give := func(m *message) {
		m.received++
		m.handle = fmt.Sprintf("%s#%d", m.id, m.received)
		m.visible = now.Add(30 * time.Second)
		if in.VisibilityTimeout != nil {
			m.visible = now.Add(time.Duration(*in.VisibilityTimeout) * time.Second)
		}
		found = append(found, map[string]any{
			"MessageId": m.id, "ReceiptHandle": m.handle, "Body": m.body, "MD5OfBody": sum(m.body),
			"Attributes": map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received)},
		})
	}
	for _, m := range s.messages {
		if len(found) == max(in.MaxNumberOfMessages, 1) {
			return found, 0
		}
		if left := m.visible.Sub(now); left > 0 && (m.received == 0 || !s.chance(s.faults.Repeat/8)) {
			next = min(next, left)
			continue
		}
		give(m)
	}
	for i, m := range s.taken {
		if len(found) < in.MaxNumberOfMessages && s.chance(s.faults.Repeat) {
			s.taken = append(s.taken[:i:i], s.taken[i+1:]...)
			s.messages = append(s.messages, m)
			m.again = true // once: or the queue would never be empty
			give(m)
			break
		}
	}
	return found, next
}

func (s *Server) delete(in request) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]map[string]any{"Successful": {}, "Failed": {}}
	for _, e := range in.Entries {
		if s.chance(s.faults.Keep) {
			out["Failed"] = append(out["Failed"], map[string]any{"Id": e.Id, "SenderFault": false, "Code": "InternalError", "Message": "as asked for by the test"})
			continue
		}
		id, _, ok := strings.Cut(e.ReceiptHandle, "#")
		if !ok {
			out["Failed"] = append(out["Failed"], map[string]any{"Id": e.Id, "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle is not valid."})
			continue
		}
		for i, m := range s.messages {
			if m.id == id {
				s.messages = append(s.messages[:i:i], s.messages[i+1:]...)
				if !m.again {
					s.taken = append(s.taken, m)
				}
				break
			}
		}
		out["Successful"] = append(out["Successful"], map[string]any{"Id": e.Id})
	}
	return out
}

func (s *Server) attributes() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, now := 0, time.Now()
	for _, m := range s.messages {
		if !m.visible.After(now) {
			waiting++
		}
	}
	return map[string]any{"Attributes": map[string]string{
		"ApproximateNumberOfMessages": strconv.Itoa(waiting), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(len(s.messages) - waiting),
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":5}`,
	}}
}

// sum is how SQS and its clients check that a body arrived as it was sent.
func sum(body string) string {
	digest := md5.Sum([]byte(body))
	return hex.EncodeToString(digest[:])
}

// refuse answers as SQS does, which names the code of its first protocol as well.
func refuse(w http.ResponseWriter, status int, code string) {
	old := code
	if code == "QueueDoesNotExist" {
		old = "AWS.SimpleQueueService.NonExistentQueue"
	}
	party := "Sender"
	if status >= 500 {
		party = "Receiver"
	}
	w.Header().Set("X-Amzn-Query-Error", old+";"+party)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":%q,"message":"As asked for by the test."}`, "com.amazonaws.sqs#"+code)
}
