package settings

import (
	"fmt"
	"strings"
	"testing"
)

const tracedPool = `
base_url: https://app.example.com
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: abc}]
`

func TestTracing(t *testing.T) {
	const collector = "http://127.0.0.1:4318/v1/traces"
	off := Tracing{SampleRatio: -1}
	env := map[string]string{otelEndpoint: "http://collector:4318"}
	with := func(name, value string) map[string]string {
		return map[string]string{otelEndpoint: "http://collector:4318", name: value}
	}
	for _, tt := range []struct {
		name, text string
		env        map[string]string
		want       Tracing
		warning    string
	}{
		{name: "by default there is none", want: off},
		{name: "a URL is all it takes", text: "tracing: http://127.0.0.1:4318", want: Tracing{Enabled: true, Endpoint: collector, SampleRatio: -1}},
		{name: "a whole URL", text: "tracing: {endpoint: 'https://c.example/a/v1/traces/', sample_ratio: 0.25, service_name: front}",
			want: Tracing{Enabled: true, Endpoint: "https://c.example/a/v1/traces", SampleRatio: 0.25, ServiceName: "front"}},
		{name: "a path", text: "tracing: https://c.example/otlp", want: Tracing{Enabled: true, Endpoint: "https://c.example/otlp/v1/traces", SampleRatio: -1}},
		{name: "nothing is recorded", text: "tracing: {endpoint: 'http://127.0.0.1:4318', sample_ratio: 0}", want: Tracing{Enabled: true, Endpoint: collector}},
		{name: "headers", text: "tracing: {endpoint: 'http://127.0.0.1:4318', headers: ['api-key=${KEY}=', b=c d]}", env: map[string]string{"KEY": "s3cret"},
			want: Tracing{Enabled: true, Endpoint: collector, SampleRatio: -1, Headers: Headers{{"api-key", "s3cret="}, {"b", "c d"}}}},
		{name: "headers of a file", text: "tracing: {endpoint: 'http://127.0.0.1:4318', headers_file: headers}",
			want: Tracing{Enabled: true, Endpoint: collector, SampleRatio: -1, Headers: Headers{{"api-key", "s3cret"}, {"x", "y"}}}},
		{name: "headers in the clear", text: "tracing: {endpoint: 'http://c.example', headers: a=b}", warning: "tracing.headers: they go over the network as they are",
			want: Tracing{Enabled: true, Endpoint: "http://c.example/v1/traces", SampleRatio: -1, Headers: Headers{{"a", "b"}}}},
		{name: "the environment says where", env: env, want: Tracing{Enabled: true, SampleRatio: -1}},
		{name: "for traces", env: map[string]string{otelTracesEndpoint: "https://collector/x"}, want: Tracing{Enabled: true, SampleRatio: -1}},
		{name: "the environment says where, and the file how many", text: "tracing: {sample_ratio: 0.5}", env: env, want: Tracing{Enabled: true, SampleRatio: 0.5}},
		{name: "the file turns it off", text: "tracing: {enabled: false}", env: env, want: off},
		{name: "the environment turns it off", text: "tracing: http://127.0.0.1:4318", env: with("OTEL_SDK_DISABLED", "true"), want: off, warning: "OTEL_SDK_DISABLED"},
		{name: "no exporter", env: with("OTEL_TRACES_EXPORTER", "none"), want: off},
		{name: "another exporter", env: with("OTEL_TRACES_EXPORTER", "zipkin"), want: off, warning: "OTEL_TRACES_EXPORTER"},
		{name: "another protocol", env: with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), want: off, warning: "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{name: "another protocol, not for traces", env: map[string]string{otelEndpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
			want: Tracing{Enabled: true, SampleRatio: -1}},
		{name: "a sampler", env: map[string]string{otelEndpoint: "http://c", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
			want: Tracing{Enabled: true, SampleRatio: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tracedPool+tt.text, map[string]string{"headers": "api-key=s3cret\n\n x = y \n"})
			s, err := Load(path, Options{Lookup: environment(tt.env), Keys: processKeys})
			if err != nil {
				t.Fatal(err)
			}
			// As text, headers would all be alike.
			show := func(t Tracing) string {
				out := fmt.Sprint(t.Enabled, t.Endpoint, t.SampleRatio, t.ServiceName)
				for _, h := range t.Headers {
					out += " " + h.Name + ":" + h.Value.Reveal()
				}
				return out
			}
			if got := s.Tracing; show(got) != show(tt.want) {
				t.Errorf("%s, want %s", show(got), show(tt.want))
			}
			warned := strings.ReplaceAll(fmt.Sprint(s.Warnings), "everybody on this machine may read", "")
			if tt.warning == "" && strings.Contains(warned, "tracing:") || !strings.Contains(warned, tt.warning) {
				t.Errorf("warnings %v, want %q", s.Warnings, tt.warning)
			}
			if printed := fmt.Sprintf("%+v", s.Tracing); strings.Contains(printed, "s3cret") {
				t.Errorf("it prints %s", printed)
			}
		})
	}
}

func TestTracingFaults(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		env        map[string]string
		want       string
	}{
		{"no endpoint", "tracing: {sample_ratio: 1}", nil, ":4: tracing: its endpoint is missing"},
		{"no URL", "tracing: collector:4318", nil, ":4: tracing: it is not a URL"},
		{"another scheme", "tracing:\n  endpoint: grpc://collector:4317", nil, ":5: tracing.endpoint: it is not a URL"},
		{"a password", "tracing: 'http://me:s3cret@collector'", nil, ":4: tracing: it is not a URL"},
		{"more than all", "tracing:\n  endpoint: http://c\n  sample_ratio: 1.5", nil, `:6: tracing.sample_ratio: "1.5" is not a number from 0 to 1`},
		{"no number", "tracing: {endpoint: 'http://c', sample_ratio: NaN}", nil, "is not a number from 0 to 1"},
		{"no header", "tracing:\n  endpoint: http://127.0.0.1\n  headers: [a=b, s3cret]", nil, ":6: tracing.headers[1]: it is not of the form name=value"},
		{"a header twice", "tracing: {endpoint: 'http://127.0.0.1', headers: [a=b, A=s3cret]}", nil, "tracing.headers[1]: the header is set twice"},
		{"an empty file", "tracing: {endpoint: 'http://127.0.0.1', headers_file: empty}", nil, "tracing.headers_file: the file has no header"},
		{"a file that is not there", "tracing: {endpoint: 'http://127.0.0.1', headers_file: nowhere}", nil, "nowhere"},
		{"both", "tracing: {endpoint: 'http://127.0.0.1', headers: a=b, headers_file: headers}", nil, "tracing.headers: set it or headers_file, not both"},
		{"headers for whomever", "tracing: {headers: a=s3cret}", map[string]string{otelEndpoint: "http://c"}, "tracing: its endpoint is missing: headers are secrets"},
		{"no URL in the environment", "", map[string]string{otelEndpoint: "collector:4318"}, "tracing: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"},
		{"no sampler", "tracing: http://c", map[string]string{"OTEL_TRACES_SAMPLER": "sometimes"}, ":4: tracing: OTEL_TRACES_SAMPLER names an unknown sampler"},
		{"no share", "tracing: http://c", map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, ":4: tracing: OTEL_TRACES_SAMPLER_ARG is not a number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tracedPool+tt.text, map[string]string{"headers": "a=b", "empty": "\n"})
			_, err := Load(path, Options{Lookup: environment(tt.env), Keys: processKeys})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
