package proxytest

import (
	"fmt"
	"strings"
)

// replace puts text in place of some that is there exactly once.
func (s *setup) replace(name, old, text string) {
	s.t.Helper()
	if n := strings.Count(s.texts[name], old); n != 1 {
		s.t.Fatalf("%s has %q %d times", name, old, n)
	}
	s.texts[name] = strings.Replace(s.texts[name], old, text, 1)
}

func secureNginx(s *setup) {
	chain, key := Certificate(s.t, s.folder)
	s.replace("nginx.conf", "listen "+s.addresses.Front+";",
		fmt.Sprintf("listen %s ssl http2; ssl_certificate %s; ssl_certificate_key %s;", s.addresses.Front, chain, key))
}

func secureCaddy(s *setup) {
	chain, key := Certificate(s.t, s.folder)
	s.replace("Caddyfile", s.addresses.URL()+" {", fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\ttls %s %s\n", s.addresses.URL(), chain, key))
}

func secureHAProxy(s *setup) {
	Certificate(s.t, s.folder)
	for name := range s.texts {
		if name == "spoe.conf" {
			continue
		}
		s.replace(name, "bind "+s.addresses.Front, "bind "+s.addresses.Front+" ssl crt both.pem alpn h2,http/1.1")
		s.replace(name, "X-Forwarded-Proto http\n", "X-Forwarded-Proto https\n")
	}
}

func secureTraefik(s *setup) {
	chain, key := Certificate(s.t, s.folder)
	s.replace("traefik.yaml", "    http:\n", "    http3: {}\n    http:\n      tls: {}\n")
	// On this machine the name of our cookies has the port (docs/gateway.md).
	port := s.addresses.Front[strings.LastIndexByte(s.addresses.Front, ':')+1:]
	s.texts["dynamic.yaml"] = strings.ReplaceAll(s.texts["dynamic.yaml"], "- __Host-codegrant", "- __Host-codegrant-"+port)
	s.texts["dynamic.yaml"] += fmt.Sprintf("\ntls: {certificates: [{certFile: %q, keyFile: %q}]}\n", chain, key)
}

// secureEnvoy adds a certificate to the listener, and a second listener for HTTP/3
// that does the same.
func secureEnvoy(s *setup) {
	chain, key := Certificate(s.t, s.folder)
	for name, text := range s.texts {
		context := fmt.Sprintf("{tls_certificates: [{certificate_chain: {filename: %q}, private_key: {filename: %q}}]", chain, key)
		secure := "          transport_socket:\n            name: envoy.transport_sockets.tls\n            typed_config:\n" +
			"              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n" +
			"              common_tls_context: " + context + ", alpn_protocols: [h2, http/1.1]}\n"
		quic := "          transport_socket:\n            name: envoy.transport_sockets.quic\n            typed_config:\n" +
			"              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport\n" +
			"              downstream_tls_context: {common_tls_context: " + context + "}}\n"
		head, rest, ok := strings.Cut(text, "    - name: web\n")
		listener, clusters, ok2 := strings.Cut(rest, "\n  clusters:\n")
		const chains = "        - filters:\n"
		if !ok || !ok2 || strings.Count(listener, chains) != 1 {
			s.t.Fatalf("%s is laid out in another way", name)
		}
		// A connection that it ends for what came on it, it would keep for a second.
		listener = strings.Replace(listener, "stat_prefix: web\n", "stat_prefix: web\n                delayed_close_timeout: 0s\n", 1)
		second := strings.NewReplacer(
			"socket_address: { ", "socket_address: { protocol: UDP, ",
			"      filter_chains:\n", "      udp_listener_config: { quic_options: {} }\n      filter_chains:\n",
			"stat_prefix: web\n", "stat_prefix: web\n                codec_type: HTTP3\n                http3_protocol_options: {}\n",
			chains, quic+strings.Replace(chains, "- ", "  ", 1),
		).Replace(listener)
		first := strings.Replace(listener, chains, secure+strings.Replace(chains, "- ", "  ", 1), 1)
		dash := func(part string) string { // the list's item begins with the socket now
			return strings.Replace(part, "          transport_socket:", "        - transport_socket:", 1)
		}
		s.texts[name] = head + "    - name: web\n" + dash(first) + "\n    - name: web-http3\n" + dash(second) + "\n  clusters:\n" + clusters
	}
}
