package kept

import (
	"bytes"
	"net/http"
	"slices"
)

// Response is an [http.ResponseWriter] that keeps what is written. The zero value is
// ready for use, by one goroutine.
type Response struct {
	Status int         // 0: none was sent
	Sent   http.Header // as it was with the status: what is set later is not part of the response
	Body   bytes.Buffer

	header http.Header
}

// Header implements [http.ResponseWriter].
func (r *Response) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}
	return r.header
}

// WriteHeader implements [http.ResponseWriter]. Informational answers are not kept.
func (r *Response) WriteHeader(status int) {
	if r.Status == 0 && status >= 200 {
		r.Status, r.Sent = status, r.Header().Clone()
	}
}

// Write implements [http.ResponseWriter].
func (r *Response) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.Body.Write(b)
}

// MadeByProxies reports whether proxies make a header of a response themselves, by its
// canonical name.
func MadeByProxies(name string) bool { return slices.Contains(ofTheConnection, name) }

var ofTheConnection = []string{"Connection", "Content-Length", "Date", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"}
