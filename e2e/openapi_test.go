package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/codegrant/codegrant/gateway"
)

// TestOpenAPI holds docs/openapi.yaml against running services. Each answer is one that the
// file describes. Each request that a service takes is one that the file describes, too. Each
// operation and status of the file was seen, or is listed in notAsked with the reason why not.
func TestOpenAPI(t *testing.T) {
	d := readDescription(t)
	s := newSite(t, d)
	s.askSignIn()
	s.askOverfull()
	s.askTooOften()
	s.askSessions()
	s.askAccount()
	s.askOrganizations()
	s.askGateway()
	s.askBroker()
	s.askUpstream()
	s.askOutOfReach()
	s.askSignOut()
	askWithout(t, d)
	askOperations(t, d)

	used := make(map[string]bool)
	for what := range d.all() {
		if reason, listed := notAsked[what]; d.seen[what] == listed {
			t.Errorf("%s: seen %t, listed as one that this test cannot cause %t: %s", what, d.seen[what], listed, reason)
		}
		used[what] = true
	}
	for parameter := range d.parameters() {
		if !d.seen[parameter] {
			t.Errorf("%s: no request here has it", parameter)
		}
	}
	for what, reason := range notAsked {
		if !used[what] {
			t.Errorf("notAsked: docs/openapi.yaml has no %q", what)
		}
		if len(reason) < 20 {
			t.Errorf("notAsked: %q has no reason", what)
		}
	}
}

// described is docs/openapi.yaml, and what was seen of it.
type described struct {
	t     *testing.T
	check validator.Validator
	model *v3.Document

	mu   sync.Mutex
	ours map[string]bool // hosts of the services
	seen map[string]bool // by method, path and status
}

func readDescription(t *testing.T) *described {
	t.Helper()
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The servers of the file are examples.
	text = regexp.MustCompile(`(?s)\nservers:\n.*?\ntags:`).ReplaceAll(text, []byte("\ntags:"))
	text = regexp.MustCompile(`(?m)^    servers: .*\n`).ReplaceAll(text, nil)
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	check, errs := validator.NewValidator(document, config.WithFormatAssertions(), config.WithURLEncodedBodyValidation(), config.WithRejectUndeclaredRequestBody(), config.WithAuthenticationFunc(proves))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, faults := check.ValidateDocument(); !ok {
		for _, f := range faults {
			t.Errorf("docs/openapi.yaml: %s: %s", f.Message, f.Reason)
			for _, detail := range f.SchemaValidationErrors {
				t.Errorf("%s: %s", detail.FieldPath, detail.Reason)
			}
		}
		t.FailNow()
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	return &described{t: t, check: check, model: &model.Model, ours: make(map[string]bool), seen: make(map[string]bool)}
}

// proves reports whether a request has what a security scheme of the file asks for. The name
// of the session's cookie has the port in it, on this machine.
func proves(_ context.Context, in *config.AuthenticationInput) error {
	has := false
	switch in.SecuritySchemeName {
	case "session":
		has = slices.ContainsFunc(in.Request.Cookies(), func(c *http.Cookie) bool { return strings.Contains(c.Name, "codegrant") })
	case "bearer":
		has = strings.HasPrefix(in.Request.Header.Get("Authorization"), "Bearer ")
	default:
		has = in.Request.Header.Get(in.SecurityScheme.Name) != ""
	}
	if !has {
		return errors.New("the request has no " + in.SecuritySchemeName)
	}
	return nil
}

// all yields each operation with each of its statuses.
func (d *described) all() map[string]bool {
	every := make(map[string]bool)
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for status := range operation.Responses.Codes.FromOldest() {
				every[strings.ToUpper(method)+" "+path+" "+status] = true
			}
		}
	}
	return every
}

// parameters yields the parameters that operations have in their queries.
func (d *described) parameters() map[string]bool {
	every := make(map[string]bool)
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for _, p := range operation.Parameters {
				if p.In == "query" {
					every[strings.ToUpper(method)+" "+path+" ?"+p.Name] = true
				}
			}
		}
	}
	return every
}

// pathOf is the path of the file that a request is for. One without parameters goes first.
func (d *described) pathOf(asked string) (string, bool) {
	asked = strings.TrimSuffix(asked, "/")
	found := ""
	for path := range d.model.Paths.PathItems.FromOldest() {
		pattern := regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
		if path == asked || found == "" && regexp.MustCompile("^"+pattern+"$").MatchString(asked) {
			found = path
		}
		if path == asked {
			break
		}
	}
	return found, found != ""
}

// RoundTrip implements [http.RoundTripper]: it judges each request to a service of ours, and
// the answer.
func (d *described) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(sent))
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !d.ours[r.URL.Host] {
		return response, err
	}
	path, ok := d.pathOf(r.URL.Path)
	if !ok || response.StatusCode == http.StatusMethodNotAllowed { // which no operation is about
		return response, nil
	}
	what := r.Method + " " + path + " " + response.Status[:3]
	d.mu.Lock()
	d.seen[what] = true
	for name := range r.URL.Query() {
		parameter := r.Method + " " + path + " ?" + name
		d.seen[parameter] = true
		if response.StatusCode < 400 && r.Method != http.MethodHead && !d.parameters()[parameter] {
			d.t.Errorf("%s: the service takes a parameter that docs/openapi.yaml does not have", parameter)
		}
	}
	d.mu.Unlock()

	again := r.Clone(r.Context())
	again.URL.Path = strings.TrimSuffix(again.URL.Path, "/")
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
	if len(sent) == 0 {
		again.Body = http.NoBody
	}
	if response.StatusCode < 400 {
		if ok, faults := d.check.ValidateHttpRequest(again); !ok {
			for _, f := range faults {
				if f.ValidationType == "security" && response.StatusCode >= 300 {
					continue // it is sent to sign in
				}
				d.t.Errorf("%s: the service takes a request that docs/openapi.yaml refuses: %v", what, f)
			}
		}
	}
	if r.Method == http.MethodHead {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	d.identityHeaders(what, path, response)
	if ok, faults := d.check.ValidateHttpResponse(again, response); !ok {
		for _, f := range faults {
			d.t.Errorf("%s: docs/openapi.yaml does not have this answer: %v", what, f)
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// identityHeaders compares the X-Auth headers of an answer with those of the file, both ways.
// The validator does not look at headers that the file lacks.
func (d *described) identityHeaders(what, path string, response *http.Response) {
	item, ok := d.model.Paths.PathItems.Get(path)
	if !ok {
		return
	}
	operation, ok := item.GetOperations().Get(strings.ToLower(response.Request.Method))
	if !ok {
		operation = item.Get // /auth/check takes any method
	}
	if operation == nil {
		return
	}
	declared := make(map[string]bool)
	if answer, ok := operation.Responses.Codes.Get(strconv.Itoa(response.StatusCode)); ok && answer.Headers != nil {
		for name, header := range answer.Headers.FromOldest() {
			name = http.CanonicalHeaderKey(name)
			declared[name] = true
			if header.Required && response.Header[name] == nil {
				d.t.Errorf("%s: the answer lacks %s", what, name)
			}
		}
	}
	for name := range response.Header {
		if strings.HasPrefix(name, "X-Auth-") && !declared[name] && !strings.HasPrefix(name, gateway.CookieHeader) {
			d.t.Errorf("%s: docs/openapi.yaml lacks the header %s", what, name)
		}
	}
}

// call is a request, and the status that it has to get.
type call struct {
	who          *http.Client
	method, path string
	status       int
	header       http.Header
	body         string
}

// ask sends requests to a service at base, one after the other, and returns the last answer.
func (d *described) ask(base string, calls ...call) (*http.Response, string) {
	d.t.Helper()
	var response *http.Response
	var text []byte
	for _, c := range calls {
		r, err := http.NewRequestWithContext(d.t.Context(), c.method, base+c.path, strings.NewReader(c.body))
		if err != nil {
			d.t.Fatal(err)
		}
		for name, values := range c.header {
			r.Header[name] = slices.Clone(values)
		}
		if response, err = c.who.Do(r); err != nil {
			d.t.Fatal(err)
		}
		text, err = io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			d.t.Fatal(err)
		}
		if c.status != 0 && response.StatusCode != c.status { // 0: the caller looks
			d.t.Errorf("%s %.200s: status %d, want %d: %.500s", c.method, c.path, response.StatusCode, c.status, text)
		}
	}
	return response, string(text)
}

// notAsked says why an answer of the file is not caused here.
var notAsked = map[string]string{
	"POST /auth/account/{page} 302":          "needs identities that people link: the tests of package account begin so",
	"GET /auth/login 400":                    "TestS039_SignInsWithoutResult signs in again and again",
	"GET /auth/callback 302":                 "links of the Python package: TestMigrationLinksSignIn follows them",
	"POST /auth/organization/invitation 409": "needs a hundred thousand members",
	"GET /oauth/jwks.json 503":               "no configuration that is taken has keys that cannot be made",
	"HEAD /oauth/jwks.json 503":              "no configuration that is taken has keys that cannot be made",
	"GET /exchange/jwks.json 503":            "no configuration that is taken has keys that cannot be made",
	"HEAD /exchange/jwks.json 503":           "no configuration that is taken has keys that cannot be made",
	"GET /state 503":                         "a moment of the start, before the first configuration is in use",
	"GET /metrics 503":                       "needs four scrapes at the same moment",
}

// What browsers and programs send.
var (
	page       = http.Header{"Accept": {"text/html"}}
	script     = http.Header{"Accept": {"application/json"}}
	asJSON     = http.Header{"Content-Type": {"application/json"}}
	form       = http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	formOfPage = http.Header{"Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}}
	fromOther  = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}
	preflight  = http.Header{"Origin": {"https://www.example.com"}, "Access-Control-Request-Method": {"POST"}}
)
