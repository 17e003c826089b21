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

	mu      sync.Mutex // guards the field below, and the deadline for reading
	stopped bool
}

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
	case errors.Is(err, errStopped), err == nil:
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
	if ack == nil || c.write(ack) != nil {
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
	if err := c.readWithin(idle); err != nil {
		return nil, err
	}
	if _, err := in.Peek(1); err != nil {
		return nil, c.whyNot(err)
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

// readWithin sets the time that reading may take.
func (c *connection) readWithin(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errStopped
	}
	return c.conn.SetReadDeadline(time.Now().Add(d))
}

// stop has read end: with what was asked already, and no more.
func (c *connection) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
}

func (c *connection) whyNot(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped && errors.Is(err, os.ErrDeadlineExceeded) {
		return errStopped
	}
	return err
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
