package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Tracing says where traces go. What is empty, the variables of OpenTelemetry say.
type Tracing struct {
	Enabled     bool
	Endpoint    string  // whole URL
	Headers     Headers // of each post
	SampleRatio float64 // negative: not set
	ServiceName string
}

// Headers are headers whose values are secrets.
type Headers []Header

// Header is one.
type Header struct {
	Name  string
	Value Secret
}

// Where a collector is, in the variables that every program understands which speaks
// OpenTelemetry.
const (
	otelEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otelTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

// tracesPath is where a collector takes traces.
const tracesPath = "/v1/traces"

func (r *reader) tracing(f tracing) Tracing {
	t := Tracing{Enabled: f.Enabled, SampleRatio: -1, ServiceName: f.ServiceName}
	if r.has("tracing.sample_ratio") {
		t.SampleRatio = float64(f.SampleRatio)
	}
	t.Headers = r.headers(f)
	if f.Endpoint != "" {
		t.Endpoint = r.collector(f.Endpoint, len(t.Headers) > 0)
	} else if len(t.Headers) > 0 {
		r.follow("tracing", "its endpoint is missing: headers are secrets, and go to nobody whom the file does not name")
	}
	if !t.Enabled {
		return t
	}
	if !r.fromEnvironment(t.Endpoint != "" || r.faulty("tracing")) {
		return Tracing{SampleRatio: -1}
	}
	if t.SampleRatio < 0 {
		if err := r.sampler(); err != nil {
			r.fault("tracing", "%w", err)
		}
	}
	return t
}

// fromEnvironment reports whether traces are sent: because the file says where, or the
// environment does, and says nothing against it.
func (r *reader) fromEnvironment(named bool) bool {
	set := func(name string) string {
		value, _ := r.lookup(name)
		return strings.TrimSpace(value)
	}
	if strings.EqualFold(set("OTEL_SDK_DISABLED"), "true") {
		if r.has("tracing") {
			r.warn("tracing", "OTEL_SDK_DISABLED turns it off")
		}
		return false
	}
	if named {
		return true
	}
	where, name := set(otelTracesEndpoint), otelTracesEndpoint
	if where == "" {
		where, name = set(otelEndpoint), otelEndpoint
	}
	if where == "" {
		if r.has("tracing") {
			r.fault("tracing", "its endpoint is missing: the URL of a collector, such as http://127.0.0.1:4318")
		}
		return false
	}
	if u, err := url.Parse(where); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		r.fault("tracing", "%s is not a URL such as http://127.0.0.1:4318", name)
		return false
	}
	if exporter := set("OTEL_TRACES_EXPORTER"); exporter == "none" {
		return false
	} else if exporter != "" && exporter != "otlp" {
		r.warn("tracing", "OTEL_TRACES_EXPORTER names one that is not spoken, and nothing is traced; otlp is")
		return false
	}
	protocol := set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = set("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol == "grpc" {
		r.warn("tracing", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and nothing is traced; write tracing: URL, with the port where the collector speaks OTLP over HTTP")
		return false
	}
	return true
}

// sampler says what is wrong with the environment's: the library would go on without.
func (r *reader) sampler() error {
	name, _ := r.lookup("OTEL_TRACES_SAMPLER")
	name = strings.ToLower(strings.TrimSpace(name))
	if name != "" && !slices.Contains([]string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}, name) {
		return errors.New("OTEL_TRACES_SAMPLER names an unknown sampler; set parentbased_traceidratio")
	}
	text, _ := r.lookup("OTEL_TRACES_SAMPLER_ARG")
	if text = strings.TrimSpace(text); text == "" || !strings.HasSuffix(name, "traceidratio") {
		return nil
	}
	if n, err := strconv.ParseFloat(text, 64); err != nil || !(n >= 0 && n <= 1) {
		return errors.New("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1")
	}
	return nil
}

// collector is the URL that traces are posted to.
func (r *reader) collector(raw string, secrets bool) string {
	const key = "tracing.endpoint"
	at := key
	if !r.has(key) {
		at = "tracing"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.fault(at, "it is not a URL such as http://127.0.0.1:4318, with neither password nor query")
		return ""
	}
	if secrets && u.Scheme == "http" && !loopback(u.Hostname()) {
		r.warn("tracing.headers", "they go over the network as they are; use https")
	}
	path := strings.TrimSuffix(u.Path, "/")
	if !strings.HasSuffix(path, tracesPath) {
		path += tracesPath
	}
	return u.Scheme + "://" + u.Host + path
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// headers reads name=value. No fault quotes what could be a value.
func (r *reader) headers(f tracing) Headers {
	type line struct{ key, text string }
	var lines []line
	for i, text := range f.Headers {
		lines = append(lines, line{fmt.Sprintf("tracing.headers[%d]", i), text})
	}
	if f.HeadersFile != "" {
		if r.has("tracing.headers") {
			r.fault("tracing.headers", "set it or headers_file, not both")
		}
		before := len(lines)
		content := string(r.readFile("tracing.headers_file", f.HeadersFile, true))
		for text := range strings.Lines(content) {
			if text = strings.TrimSpace(text); text != "" {
				lines = append(lines, line{"tracing.headers_file", text})
			}
		}
		if len(lines) == before {
			r.follow("tracing.headers_file", "the file has no header")
		}
	}
	var all Headers
	for _, l := range lines {
		name, value, ok := strings.Cut(l.text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name) || value == "" || !httpguts.ValidHeaderFieldValue(value):
			r.fault(l.key, "it is not of the form name=value")
		case slices.ContainsFunc(all, func(h Header) bool { return strings.EqualFold(h.Name, name) }):
			r.fault(l.key, "the header is set twice")
		default:
			all = append(all, Header{name, Secret(value)})
		}
	}
	return all
}

// warn records what is allowed, but not recommended.
func (r *reader) warn(key, text string) {
	r.warnings = append(r.warnings, Fault{r.path, r.line(key), key, errors.New(text)})
}
