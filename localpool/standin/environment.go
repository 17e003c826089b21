package standin

import (
	"bytes"
	"crypto/sha1" // what trust stores of Java end with
	_ "embed"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed node.cjs
var nodeHook string

// Environment are the settings with which programs of one command reach a stand-in.
type Environment struct {
	folder, address string
}

const (
	bundleFile = "bundle.pem"
	javaFile   = "trust.jks"
	nodeFile   = "node.cjs"

	javaPassword = "changeit" // Java's own; nothing in the file is secret
)

// Environment writes the files that programs need beside the authority, for a stand-in
// at an address. With others, they trust what this machine trusts, too: for hosts that
// the proxy passes on to.
func (a *Authority) Environment(address string, others bool) (Environment, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Environment{}, fmt.Errorf("address %q: %w", address, err)
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if others {
		bundle = append(systemRoots(), bundle...)
	}
	folder, err := filepath.Abs(a.folder)
	if err != nil {
		return Environment{}, fmt.Errorf("folder of the authority: %w", err)
	}
	hook := strings.Replace(nodeHook, "{ host: '127.0.0.1', port: 0 }", fmt.Sprintf("{ host: '%s', port: %s }", host, port), 1)
	for name, content := range map[string][]byte{bundleFile: bundle, javaFile: javaTrust(bundle), nodeFile: []byte(hook)} {
		if err := write(folder, name, content); err != nil {
			return Environment{}, fmt.Errorf("write %s beside the authority: %w", name, err)
		}
	}
	return Environment{folder, address}, nil
}

// systemRoots are those that this machine trusts; empty where they are not in a file.
func systemRoots() []byte {
	for _, path := range []string{os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"} {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			return append(bytes.TrimRight(b, "\n"), '\n')
		}
	}
	return nil
}

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// Variables are what a command needs. before is the environment that it has already:
// what it says for Node.js and Java is kept, and so are its region and credentials. Where it
// has none, there are some that mean nothing, as programs do not start without.
func (e Environment) Variables(before []string, region string) []Variable {
	had := make(map[string]string)
	for _, v := range before {
		name, value, _ := strings.Cut(v, "=")
		had[name] = value
	}
	and := func(name, value string) string { return strings.TrimSpace(had[name] + " " + value) }
	file := func(name string) string { return filepath.Join(e.folder, name) }
	host, port, _ := net.SplitHostPort(e.address) // checked before
	proxy, bundle := "http://"+e.address, file(bundleFile)
	list := []Variable{
		{"HTTPS_PROXY", proxy}, {"https_proxy", proxy}, {"NO_PROXY", "localhost,127.0.0.1,::1"}, {"no_proxy", "localhost,127.0.0.1,::1"},
		{"AWS_CA_BUNDLE", bundle}, {"REQUESTS_CA_BUNDLE", bundle}, {"CURL_CA_BUNDLE", bundle}, {"SSL_CERT_FILE", bundle},
		{"NODE_EXTRA_CA_CERTS", bundle},
		{"NODE_OPTIONS", and("NODE_OPTIONS", "--require="+strconv.Quote(file(nodeFile)))},
		{"JAVA_TOOL_OPTIONS", and("JAVA_TOOL_OPTIONS", fmt.Sprintf("-Dhttps.proxyHost=%s -Dhttps.proxyPort=%s -Djavax.net.ssl.trustStore=%s -Djavax.net.ssl.trustStorePassword=%s",
			host, port, file(javaFile), javaPassword))},
		{"AWS_EC2_METADATA_DISABLED", "true"},
	}
	if had["AWS_REGION"] == "" && had["AWS_DEFAULT_REGION"] == "" {
		list = append(list, Variable{"AWS_REGION", region}, Variable{"AWS_DEFAULT_REGION", region})
	}
	if had["AWS_ACCESS_KEY_ID"] == "" && had["AWS_PROFILE"] == "" {
		list = append(list, Variable{"AWS_ACCESS_KEY_ID", "local"}, Variable{"AWS_SECRET_ACCESS_KEY", "local"})
	}
	return list
}

// Line is a variable as a shell takes it.
func (v Variable) Line() string {
	return "export " + v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'"
}

// javaTrust writes certificates as a trust store of Java's form JKS, which is a list
// and a hash over it.
func javaTrust(bundle []byte) []byte {
	var ders [][]byte
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	var b []byte
	be := binary.BigEndian
	text := func(s string) { b = append(be.AppendUint16(b, uint16(len(s))), s...) }
	b = be.AppendUint32(b, 0xfeedfeed)
	b = be.AppendUint32(b, 2) // the version
	b = be.AppendUint32(b, uint32(len(ders)))
	for i, der := range ders {
		b = be.AppendUint32(b, 2) // a certificate that is trusted
		text(fmt.Sprintf("codegrant-%d", i))
		b = be.AppendUint64(b, uint64(time.Now().UnixMilli()))
		text("X.509")
		b = be.AppendUint32(b, uint32(len(der)))
		b = append(b, der...)
	}
	sum := sha1.New()
	for _, c := range []byte(javaPassword) {
		sum.Write([]byte{0, c}) // UTF-16
	}
	sum.Write([]byte("Mighty Aphrodite"))
	sum.Write(b)
	return sum.Sum(b)
}
