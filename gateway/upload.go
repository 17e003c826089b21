package gateway

import (
	"io"
	"time"
)

// upload is the body of a request on its way to an upstream. While the client is
// waited for, the upstream's time stands still; with each piece that is there to be
// sent, and with the body's end, it begins anew. So the timeout bounds what the
// upstream does, however long the client takes.
type upload struct {
	io.ReadCloser
	call *call
}

// Read implements [io.Reader].
func (u upload) Read(p []byte) (int, error) {
	u.call.reading(true)
	defer u.call.reading(false)
	n, err := u.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		u.call.broken.Store(true)
	}
	return n, err
}

// reading says whether the client is waited for.
func (c *call) reading(now bool) {
	c.mu.Lock()
	c.clientIsSlow = now
	c.slowAt = time.Now().Add(c.route.servers.Timeout)
	c.mu.Unlock()
}
