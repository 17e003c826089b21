package localpool

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/place"
)

// AWSHost is a host of Amazon's that a pool has a part of.
type AWSHost struct {
	Service string // cognito-idp, issuer-cognito-idp, secretsmanager or auth
	Region  string
	Prefix  string // of auth: the pool's domain
}

var awsHosts = []*regexp.Regexp{
	regexp.MustCompile(`^(cognito-idp|issuer-cognito-idp|secretsmanager)\.([a-z0-9-]+)\.amazonaws\.com$`),
	regexp.MustCompile(`^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.auth\.([a-z0-9-]+)\.amazoncognito\.com$`),
}

// ParseAWSHost reads a host name, in lower case and without a port.
func ParseAWSHost(name string) (AWSHost, bool) {
	if m := awsHosts[0].FindStringSubmatch(name); m != nil && slices.Contains(Regions, m[2]) {
		return AWSHost{Service: m[1], Region: m[2]}, true
	}
	if m := awsHosts[1].FindStringSubmatch(name); m != nil && slices.Contains(Regions, m[2]) {
		return AWSHost{Service: "auth", Region: m[2], Prefix: m[1]}, true
	}
	return AWSHost{}, false
}

// Regions are those that Amazon has user pools in, but for China's, whose hosts have
// another ending.
var Regions = strings.Fields(`
	af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
	ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
	ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3
	il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2`)

// checkAWS says which pools Amazon could not have.
func checkAWS(pools []string) error {
	for _, id := range pools {
		if r := place.Region(id); !slices.Contains(Regions, r) {
			return fmt.Errorf("pool %q: to stand in for Amazon's, its id begins with a region, such as eu-west-1_Shop1", id)
		}
	}
	return nil
}

// Domain returns the URL of a pool's domain.
func (s *Server) Domain(poolID string) string { return s.place.Domain(poolID) }

// ServeAWS answers a request that reached the server by a host name of Amazon's, over
// TLS. Only [Config.AsAWS] has it answer, and nothing but what that host has.
func (s *Server) ServeAWS(w http.ResponseWriter, r *http.Request) {
	name := strings.ToLower(strings.TrimSuffix(r.Host, ":443"))
	host, ok := ParseAWSHost(name)
	if !ok || !s.place.AWS {
		http.Error(w, "This is a local pool. It does not stand in for this host.", http.StatusMisdirectedRequest)
		return
	}
	keys := strings.Contains(r.URL.Path, "/.well-known/")
	operation := r.URL.Path == "/"
	secrets := strings.HasPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	switch host.Service {
	case "cognito-idp":
		ok = keys || operation && !secrets
	case "issuer-cognito-idp":
		ok = keys
	case "secretsmanager":
		ok = operation && (secrets || r.Method == http.MethodOptions)
	default:
		if !s.hasDomain(host) {
			http.Error(w, "No pool here has the domain "+name+".", http.StatusNotFound)
			return
		}
		ok = !keys && !strings.HasPrefix(r.URL.Path, operator) && (!operation || r.Method == http.MethodGet)
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.mux.ServeHTTP(w, place.By(r, "https://"+name))
}

// hasDomain reports whether a pool of the region has a prefix.
func (s *Server) hasDomain(h AWSHost) bool {
	return slices.ContainsFunc(s.state.Pools(), func(id string) bool {
		return place.Region(id) == h.Region && s.place.PrefixOf(id) == h.Prefix
	})
}
