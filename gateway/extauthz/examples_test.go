package extauthz_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

const envoyExamples = "../../examples/gateway/envoy"

// readExample parses an Envoy configuration as Envoy does: strictly, into its protos,
// by their rules. It returns every message of the tree, those in Any included.
func readExample(t *testing.T, name string) []proto.Message {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(envoyExamples, name))
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	bootstrap := new(bootstrapv3.Bootstrap)
	if err := protojson.Unmarshal(asJSON, bootstrap); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var all []proto.Message
	var visit func(m protoreflect.Message)
	visit = func(m protoreflect.Message) {
		if packed, ok := m.Interface().(*anypb.Any); ok {
			inner, err := packed.UnmarshalNew()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if rules, ok := inner.(interface{ ValidateAll() error }); ok {
				if err := rules.ValidateAll(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			visit(inner.ProtoReflect())
			return
		}
		all = append(all, m.Interface())
		m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			switch {
			case field.IsMap() && field.MapValue().Message() != nil:
				value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { visit(v.Message()); return true })
			case field.IsList() && field.Message() != nil:
				for i := range value.List().Len() {
					visit(value.List().Get(i).Message())
				}
			case !field.IsMap() && !field.IsList() && field.Message() != nil:
				visit(value.Message())
			}
			return true
		})
	}
	if err := bootstrap.ValidateAll(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	visit(bootstrap.ProtoReflect())
	return all
}

// find returns the messages of one type, at least one.
func find[M proto.Message](t *testing.T, all []proto.Message) []M {
	t.Helper()
	var found []M
	for _, m := range all {
		if one, ok := m.(M); ok {
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		t.Fatalf("there is no %T", *new(M))
	}
	return found
}

// TestExamples holds the configurations to Envoy's protos, and to what the gateway
// needs of them. The tests in e2e run Envoy with them.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(envoyExamples, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if name := filepath.Base(file); name != "codegrant.yaml" {
			names = append(names, name)
		}
	}
	if !slices.Equal(names, []string{"grpc.yaml", "http.yaml"}) {
		t.Fatalf("found %v", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			all := readExample(t, name)
			manager := find[*hcmv3.HttpConnectionManager](t, all)[0]
			if !manager.GetNormalizePath().GetValue() || manager.GetPathWithEscapedSlashesAction() != hcmv3.HttpConnectionManager_REJECT_REQUEST ||
				manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() != corev3.HttpProtocolOptions_DROP_HEADER {
				t.Error("paths or headers may come in several forms")
			}
			if u := manager.GetUpgradeConfigs(); len(u) != 1 || u[0].GetUpgradeType() != "websocket" {
				t.Errorf("upgrades %v may pass", u)
			}
			filter := find[*authzv3.ExtAuthz](t, all)[0]
			if filter.GetFailureModeAllow() || filter.GetClearRouteCache() || filter.GetFilterEnabled() != nil || filter.GetStatusOnError().GetCode() != 503 ||
				filter.GetTransportApiVersion() != corev3.ApiVersion_V3 {
				t.Errorf("%v", filter)
			}
			disabled := find[*authzv3.ExtAuthzPerRoute](t, all)
			if n := len(slices.DeleteFunc(disabled, func(r *authzv3.ExtAuthzPerRoute) bool { return !r.GetDisabled() })); n != 1 {
				t.Errorf("the filter is disabled on %d routes", n)
			}
			for _, r := range find[*routev3.Route](t, all) {
				own := r.GetMatch().GetPathSeparatedPrefix() == "/auth"
				if (r.GetRoute().GetCluster() == "codegrant") != own || own && (len(r.GetTypedPerFilterConfig()) != 1 || !slices.Contains(r.GetRequestHeadersToRemove(), "x-forwarded-uri")) {
					t.Errorf("route %v", r)
				}
			}
			if name == "grpc.yaml" {
				checkGRPCExample(t, all, filter)
			} else {
				checkHTTPExample(t, filter)
			}
		})
	}
}

func checkGRPCExample(t *testing.T, all []proto.Message, filter *authzv3.ExtAuthz) {
	if filter.GetGrpcService().GetEnvoyGrpc().GetClusterName() != "codegrant_grpc" || filter.GetAllowedHeaders() != nil || filter.GetDisallowedHeaders() != nil {
		t.Errorf("%v", filter)
	}
	if options := find[*httpv3.HttpProtocolOptions](t, all); options[0].GetExplicitHttpConfig().GetHttp2ProtocolOptions() == nil {
		t.Error("the gateway is not asked over HTTP/2")
	}
	server, ctx := guarded(t)
	for _, r := range find[*authzv3.ExtAuthzPerRoute](t, all) {
		extensions := r.GetCheckSettings().GetContextExtensions()
		if len(extensions) == 0 {
			continue
		}
		answer, err := server.Check(ctx, question("GET", "h", "/open", nil, true, extensions))
		if err != nil || answer.GetDeniedResponse().GetStatus().GetCode() != 401 { // 403: not understood
			t.Errorf("extensions %v: %v, %v", extensions, answer, err)
		}
	}
}

func checkHTTPExample(t *testing.T, filter *authzv3.ExtAuthz) {
	service := filter.GetHttpService()
	if service.GetPathPrefix() != "/auth/check" {
		t.Errorf("%v", service)
	}
	for _, name := range identityHeaders {
		if !matches(service.GetAuthorizationResponse().GetAllowedUpstreamHeaders(), name) {
			t.Errorf("the application does not get %s", name)
		}
	}
	for _, name := range []string{"Cookie", "Authorization"} {
		if !matches(service.GetAuthorizationResponse().GetAllowedUpstreamHeaders(), name) {
			t.Errorf("the application gets the %s of the client", name)
		}
	}
	if toClient := service.GetAuthorizationResponse().GetAllowedClientHeadersOnSuccess(); !matches(toClient, "Set-Cookie") || matches(toClient, "X-Auth-Email") {
		t.Errorf("the browser gets %v", toClient)
	}
	for _, name := range []string{"Location", "WWW-Authenticate", "Set-Cookie", "Content-Type", "Content-Security-Policy", "Cache-Control", "Retry-After"} {
		if !matches(service.GetAuthorizationResponse().GetAllowedClientHeaders(), name) {
			t.Errorf("a refused browser does not get %s", name)
		}
	}
	for _, name := range []string{"Cookie", "Authorization", "Accept", "Accept-Language", "Origin", "X-Forwarded-For", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-WebSocket-Key", "Sec-Purpose", "Purpose", "X-Moz", "X-Requested-With"} {
		if !matches(filter.GetAllowedHeaders(), name) {
			t.Errorf("the gateway does not get %s", name)
		}
	}
	for _, name := range append([]string{"X-Original-Url", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host", "Upgrade", "Connection"}, identityHeaders...) {
		if matches(filter.GetAllowedHeaders(), name) {
			t.Errorf("the gateway gets %s", name)
		}
	}
}

func matches(list *matcherv3.ListStringMatcher, name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(list.GetPatterns(), func(p *matcherv3.StringMatcher) bool {
		switch p.GetMatchPattern().(type) {
		case *matcherv3.StringMatcher_Exact:
			return name == p.GetExact()
		case *matcherv3.StringMatcher_Prefix:
			return strings.HasPrefix(name, p.GetPrefix())
		case *matcherv3.StringMatcher_SafeRegex:
			return regexp.MustCompile("^(?:" + p.GetSafeRegex().GetRegex() + ")$").MatchString(name)
		}
		panic(fmt.Sprintf("pattern %v", p))
	})
}
