package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/publicnet"
)

// Bounds of a fetch, and of how long what it brought is used.
const (
	fetchTime    = 5 * time.Second
	maxDocument  = 16 << 10
	fetches      = 8 // at once
	usualAge     = 5 * time.Minute
	longestAge   = 24 * time.Hour
	failureAge   = 10 * time.Second
	maxDocuments = 1024
)

// documents are those that were fetched a while ago. Memory is bounded: the oldest half
// goes first.
type documents struct {
	client     *http.Client
	slots      chan struct{}
	mu         sync.Mutex // guards the fields below
	young, old map[string]fetched
}

type fetched struct {
	client client
	err    error
	at     time.Time // when it was asked for
	until  time.Time
}

func (d *documents) init(given *http.Client) {
	d.slots, d.young = make(chan struct{}, fetches), make(map[string]fetched)
	own := http.Client{}
	if given != nil {
		own = *given
	} else {
		dialer := &net.Dialer{Timeout: fetchTime, Control: publicAlone}
		own.Transport = &http.Transport{ // without a proxy, which would dial for us
			DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchTime, MaxResponseHeaderBytes: 16 << 10,
			DisableKeepAlives: true, ForceAttemptHTTP2: true,
		}
	}
	own.Timeout, own.Jar = fetchTime, nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.client = &own
}

var (
	errNotPublic = errors.New("the address is not a public https address")
	// errAway says nothing about the document.
	errAway = errors.New("the document could not be fetched")
	// errGone says that the client is none any more.
	errGone = errors.New("the document is gone, or no client's")
)

// The answers to a request for a client. Earlier consents end only with errNotThere: an error
// page, a redirect or half a document says nothing about the client.
var (
	errNotThere = faulty("invalid_client", "the document of the client is not there, or not as it has to be")
	errNotRead  = faulty("invalid_client", errNotThere.text)
)

// publicAlone is asked with the address itself, when names have been looked up.
func publicAlone(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Port() != 443 || !publicnet.Has(at.Addr()) {
		return fmt.Errorf("%w: %s", errNotPublic, address)
	}
	return nil
}

// isDocument reports whether a client id is the URL of a document.
func isDocument(id string) bool { return strings.HasPrefix(id, "https:") }

// documentURL holds a URL to what client ID metadata documents are: https on the usual
// port, with a path, and read in one way by everybody.
func documentURL(id string) error {
	u, err := url.Parse(id)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(id, "#\\\"<>%") || !isVisible(id) || len(id) > 512 ||
		u.Port() != "" || strings.HasSuffix(u.Host, ":") || !isPublicHost(u.Hostname()) || u.Host != strings.ToLower(u.Host) || len(u.Path) < 2 || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path, "//") {
		return faulty("invalid_client", "the client's id is not a URL of a client ID metadata document: https, a path, and neither port, query nor fragment")
	}
	return nil
}

// isPublicHost reports whether a host can be one of the internet: an address of it, or a
// name that nobody takes for an address. Some readers take 2130706433 and 0x7f.1 for
// 127.0.0.1, and a name without a dot is one of a network of somebody's own.
func isPublicHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return publicnet.Has(addr)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return len(last) < len(host) && last != "" && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x") && !strings.Contains(host, "..") && host[0] != '.'
}

// described finds what the document of a client says.
func (b *Broker) described(ctx context.Context, id string, fetch *http.Request) (client, error) {
	if err := documentURL(id); err != nil {
		return client{}, err
	}
	if f, ok := b.documents.known(id, b.Now()); ok {
		at, err := b.documentGone(ctx, id) // as another process has found
		if err != nil {
			return client{}, err
		}
		if f.err != nil || at.Before(f.at) {
			return f.client, f.err
		}
	}
	if fetch != nil && b.Wait(fetch) > 0 {
		b.tell(ctx, DocumentFetched, limited)
		return client{}, faulty("temporarily_unavailable", "too many requests from this address; try again later")
	}
	select {
	case b.documents.slots <- struct{}{}:
		defer func() { <-b.documents.slots }()
	case <-ctx.Done():
		return client{}, fmt.Errorf("fetch the client's document: %w", ctx.Err())
	}
	begun, at := time.Now(), b.Now()
	c, age, err := b.fetch(ctx, id)
	took, outcome := time.Since(begun), fetchedNow
	if err != nil {
		if ctx.Err() != nil {
			return client{}, fmt.Errorf("fetch the client's document: %w", ctx.Err())
		}
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "client document refused", slog.String("client", id), slog.String("reason", err.Error()))
		age, outcome = failureAge, refused
		switch {
		case errors.Is(err, errAway):
			outcome = failed
		case errors.Is(err, errGone):
			err = errNotThere
		default:
			err = errNotRead
		}
	}
	if b.OnEvent != nil {
		b.OnEvent(ctx, Event{DocumentFetched, outcome, took})
	}
	b.documents.learn(id, fetched{c, err, at, b.Now().Add(age)})
	return c, err
}

// gone has when the document of a client that people have agreed to was last found to be
// gone: what was agreed to before is over, in every process.
var gone = cupboard.Kind{Name: "broker-gone", MaxRecords: 100_000, MaxOfPerson: 1, MaxBytes: 32}

func goneKey(id string) string { return cupboard.Key("document", id) }

// documentGone is when a document was found to be gone; zero: never.
func (b *Broker) documentGone(ctx context.Context, id string) (time.Time, error) {
	record, err := b.Cupboard.Get(ctx, gone, goneKey(id))
	if errors.Is(err, cupboard.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ask whether the document is gone: %w", err)
	}
	at, err := strconv.ParseInt(string(record.Value), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask whether the document is gone: %w", err)
	}
	return time.UnixMicro(at), nil
}

// markGone tells every process that a document is gone.
func (b *Broker) markGone(ctx context.Context, id string) error {
	now := b.Now()
	r := cupboard.Record{Key: goneKey(id), Value: strconv.AppendInt(nil, now.UnixMicro(), 10), Until: now.Add(b.GrantLifetime)}
	err := b.Cupboard.Put(ctx, gone, r)
	if errors.Is(err, cupboard.ErrExists) {
		var old cupboard.Record
		if old, err = b.Cupboard.Get(ctx, gone, r.Key); err == nil {
			r.Version = old.Version
			_, err = b.Cupboard.Swap(ctx, gone, r)
		}
	}
	switch {
	case errors.Is(err, cupboard.ErrFull), errors.Is(err, cupboard.ErrConflict), errors.Is(err, cupboard.ErrNotFound):
		return nil // others find out by themselves, or somebody else has told them
	case err != nil:
		return fmt.Errorf("tell that the document is gone: %w", err)
	}
	tellEnds(ctx, b.Cupboard, manyGrants, r.Key, now, b.Logger)
	return nil
}

func (d *documents) known(id string, now time.Time) (fetched, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.young[id]
	if !ok {
		f, ok = d.old[id]
	}
	return f, ok && now.Before(f.until)
}

func (d *documents) learn(id string, f fetched) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.young) >= maxDocuments/2 {
		d.young, d.old = make(map[string]fetched), d.young
	}
	d.young[id] = f
}

// fetch asks for a document, and says how long it counts.
func (b *Broker) fetch(ctx context.Context, id string) (client, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return client{}, 0, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "codegrant")
	response, err := b.documents.client.Do(r)
	if err != nil {
		if errors.Is(err, errNotPublic) {
			return client{}, 0, err
		}
		return client{}, 0, fmt.Errorf("%w: %w", errAway, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		return client{}, 0, fmt.Errorf("%w: status %d", errAway, response.StatusCode)
	}
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		return client{}, 0, fmt.Errorf("%w: status %d", errGone, response.StatusCode)
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode != http.StatusOK || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) {
		return client{}, 0, fmt.Errorf("status %d, type %.64q", response.StatusCode, kind)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return client{}, 0, fmt.Errorf("%w: %w", errAway, err)
	}
	c, err := b.readDocument(id, text)
	return c, ageOf(response.Header), err
}

// readDocument is what a document says, if it is that of the URL. It is errGone where a whole
// document says something else: one that names no client may be an answer of the host's own.
func (b *Broker) readDocument(id string, text []byte) (client, error) {
	var said struct {
		registration
		ID     string `json:"client_id"`
		Method string `json:"token_endpoint_auth_method"`
		Secret string `json:"client_secret"`
	}
	if len(text) > maxDocument {
		return client{}, errors.New("it is too long")
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return client{}, err
	}
	switch {
	case said.ID == "":
		return client{}, errors.New("it has no client_id")
	case said.ID != id:
		return client{}, fmt.Errorf("%w: its client_id is %.512q", errGone, said.ID)
	case said.Method != "" && said.Method != "none" || said.Secret != "":
		return client{}, fmt.Errorf("%w: its client has a secret", errGone)
	case !offers(said.GrantTypes, "authorization_code") || !offers(said.ResponseTypes, "code"):
		return client{}, fmt.Errorf("%w: its client does not use authorization codes", errGone)
	}
	if f := b.checkRedirects(said.Redirects); f != nil {
		return client{}, fmt.Errorf("%w: %w", errGone, f)
	}
	return client{id: id, Name: nameOf(said.Name), Redirects: said.Redirects, document: true}, nil
}

// ageOf reads Cache-Control (RFC 9111), within bounds.
func ageOf(h http.Header) time.Duration {
	age := usualAge
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(h["Cache-Control"], ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && n >= 0 {
				age = min(time.Duration(min(n, int(longestAge/time.Second)))*time.Second, longestAge)
			}
		}
	}
	return age
}
