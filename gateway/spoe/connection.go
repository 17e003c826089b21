package spoe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// connection is one that HAProxy has opened.
type connection struct {
	server  *Server
	conn    net.Conn
	peer    string
	pending chan struct{} // has one for each question under way; made by read

	writing sync.Mutex

	mu      sync.Mutex // guards the fields below, and the deadline for reading
	stopped time.Time  // when it was told to end; zero: it was not
	begun   bool       // a frame has, and is not read yet
	calm    bool       // since it was told, nothing has come for a moment
	parted  bool       // HAProxy has been told with an answer that it was the last
}

// HAProxy may have sent a question that was not read yet when the agent is to end, and
// sends further ones until it has read that it is to send no more. It does not where it
// reads that together with an answer that it waits for.
const (
	// stopMoment is for how long nothing has come before an answer is the last.
	stopMoment = 5 * time.Millisecond
	// stopQuiet is for how long nothing was asked when a connection is ended without
	// an answer.
	stopQuiet = 200 * time.Millisecond
	// stopPatience is how long either is waited for. Then the first moment will do at
	// which nothing is under way.
	stopPatience = 2 * time.Second
)

// errStopped is why a connection ends that was told to.
var errStopped = errors.New("the agent stops")

// serve speaks the protocol until the connection ends. What was asked is answered
// before, unless ctx ends.
func (c *connection) serve(ctx context.Context) {
	log := c.server.config.Logger
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close() })()
	var under sync.WaitGroup
	err := func() (err error) {
		defer func() {
			if fault := recover(); fault != nil {
				log.LogAttrs(ctx, slog.LevelError, "connection panicked", slog.Any("reason", fault), slog.String("stack", string(debug.Stack())))
				err = protocolFault(codeUnknown, "internal fault")
			}
		}()
		return c.read(ctx, &under)
	}()
	if gone(err) {
		cancel() // nobody is there to be answered
		under.Wait()
		return
	}
	under.Wait()
	var fault *protocolError
	switch {
	case errors.Is(err, errStopped):
		if c.hasParted() || c.write(agentDisconnect(codeNormal, "normal")) == nil {
			c.linger()
		}
	case err == nil:
		_ = c.write(agentDisconnect(codeNormal, "normal"))
	case errors.As(err, &fault):
		log.LogAttrs(ctx, slog.LevelWarn, "connection ended", slog.String("reason", fault.text), slog.String("from", c.peer))
		_ = c.write(agentDisconnect(fault.code, "the frame is refused; the agent's log says why"))
	case errors.Is(err, os.ErrDeadlineExceeded):
		log.LogAttrs(ctx, slog.LevelDebug, "connection ended", slog.String("reason", "nothing came in time"), slog.String("from", c.peer))
		_ = c.write(agentDisconnect(codeTimeout, "timeout"))
	}
}

// gone reports whether the other end is not there any more.
func gone(err error) bool {
	var fault *protocolError
	return err != nil && !errors.As(err, &fault) && !errors.Is(err, errStopped) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// read takes frames until HAProxy ends the connection (nil), or an error does.
func (c *connection) read(ctx context.Context, under *sync.WaitGroup) error {
	in, limit := bufio.NewReader(c.conn), c.server.config.MaxFrame
	first, err := c.next(in, limit, frameTimeout)
	if err != nil {
		return err
	}
	h, err := parseHello(first)
	if err != nil {
		return err
	}
	limit, c.pending = min(limit, h.frameSize), make(chan struct{}, 1)
	if h.pipelining {
		c.pending = make(chan struct{}, maxPending)
	}
	if err := c.write(agentHello(limit, h.pipelining)); err != nil {
		return err
	}
	if h.healthCheck {
		return io.EOF // both sides know
	}
	for {
		f, err := c.next(in, limit, c.server.config.Idle)
		if err != nil {
			return err
		}
		switch f.kind {
		case frameDisconnect:
			return c.farewell(ctx, f)
		case frameNotify:
			arguments, err := parseMessage(f.payload)
			if err != nil && !errors.Is(err, errQuestion) {
				return err
			}
			select {
			case c.pending <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			under.Go(func() { c.answer(ctx, f, arguments, err, limit) })
		default:
			return protocolFault(codeInvalid, "a second HELLO")
		}
	}
}

// answer answers one question.
func (c *connection) answer(ctx context.Context, f *frame, arguments map[string]value, doubt error, limit int) {
	defer func() { <-c.pending }()
	ack := c.server.check(ctx, f, arguments, doubt, c.peer, limit)
	if ack == nil || c.write(c.perhapsTheLast(ack)) != nil {
		_ = c.conn.Close() // HAProxy then knows at once that there is no answer
	}
}

// farewell reads why HAProxy ends the connection.
func (c *connection) farewell(ctx context.Context, f *frame) error {
	items, err := parseItems(f.payload)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if why := code(items["status-code"].number); why == codeNormal || why == codeTimeout {
		level = slog.LevelDebug // nothing to ask, for a while
	}
	c.server.config.Logger.LogAttrs(ctx, level, "connection ended by HAProxy", slog.Uint64("code", items["status-code"].number),
		slog.String("reason", fmt.Sprintf("%.128q", items["message"].bytes)), slog.String("from", c.peer))
	return nil
}

// next reads one frame. It may take as long as idle to begin.
func (c *connection) next(in *bufio.Reader, limit int, idle time.Duration) (*frame, error) {
	for {
		if err := c.awaitWithin(idle); err != nil {
			return nil, err
		}
		_, err := in.Peek(1)
		if again, err := c.heard(err); err != nil {
			return nil, err
		} else if !again {
			break
		}
	}
	if err := c.readWithin(min(frameTimeout, idle)); err != nil {
		return nil, err
	}
	f, err := readFrame(in, limit)
	if err != nil {
		return nil, c.whyNot(err)
	}
	return f, nil
}

// awaitWithin sets the time that a frame may take to begin.
func (c *connection) awaitWithin(idle time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = false
	switch {
	case c.parted:
		return errStopped
	case c.stopped.IsZero():
	case c.calm && time.Since(c.stopped) < stopPatience:
		idle = min(idle, stopQuiet)
	default:
		idle = min(idle, stopMoment)
	}
	return c.conn.SetReadDeadline(time.Now().Add(idle))
}

// heard is told how waiting for a frame ended, and says whether to wait on.
func (c *connection) heard(err error) (again bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.parted:
		return false, errStopped
	case err == nil:
		c.begun, c.calm = true, false
		return false, nil
	case c.stopped.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded):
		return false, err
	case !c.calm, len(c.pending) > 0: // while there is an answer to come, so may be further questions
		c.calm = true
		return true, nil
	}
	return false, errStopped
}

// perhapsTheLast adds to an answer that it is the last one, where the connection is to
// end and nothing else is under way.
func (c *connection) perhapsTheLast(ack []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped.IsZero() {
		return ack
	}
	c.mu.Unlock()
	time.Sleep(2 * stopMoment) // in which is read what has come already
	c.mu.Lock()
	if !c.calm || c.parted || len(c.pending) != 1 {
		return ack
	}
	c.parted = true
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	return append(ack, agentDisconnect(codeNormal, "normal")...)
}

func (c *connection) hasParted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parted
}

// readWithin sets the time that the rest of a frame may take.
func (c *connection) readWithin(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.SetReadDeadline(time.Now().Add(d))
}

// stop has reading end once nothing is asked any more.
func (c *connection) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = time.Now()
	if !c.begun {
		_ = c.conn.SetReadDeadline(c.stopped.Add(stopMoment))
	}
}

func (c *connection) whyNot(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() && errors.Is(err, os.ErrDeadlineExceeded) {
		return errStopped
	}
	return err
}

// linger waits a moment for HAProxy to close the connection: with what was not read,
// closing takes answers back that are on their way.
func (c *connection) linger() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(stopQuiet))
		_, _ = io.Copy(io.Discard, io.LimitReader(c.conn, 1<<20))
	}
}

// write sends one frame.
func (c *connection) write(frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(frameTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(frame)
	return err
}
