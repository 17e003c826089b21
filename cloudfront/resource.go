package cloudfront

import (
	"fmt"
	"net/http"
	"strings"
)

// subjectSegment is the path segment of a [Resource] that stands for the subject of the signed-in user.
const subjectSegment = "{subject}"

// Resource is one thing that signed-in users may load.
type Resource struct {
	// URL is what CloudFront checks requests against, required: https, a host without wildcards and either one
	// file or a folder with all that is below it, https://assets.example.com/private/*. The one * stands at the
	// end and behind a slash. The path segment {subject} stands for the user, https://assets.example.com/home/{subject}/*;
	// a subject that does not fit (see [Segment]) gets no cookies.
	URL string

	// Path is the Path attribute of the cookies, and must be a folder that the URL is in. Empty: "/" where one
	// resource goes with a cookie domain, as other backends of that domain set it, and otherwise the folder
	// named by the URL up to its first variable part. See the package documentation on several resources.
	Path string

	// Allow is asked before cookies for this resource are issued, and takes them away by answering false. Nil:
	// every signed-in user.
	Allow func(r *http.Request, subject string) bool
}

// resource is a checked Resource.
type resource struct {
	url        string
	host       string
	folder     string // the folder of the URL up to its first variable part, with a slash at its end
	path       string // of the cookies; empty until the resource is planned
	perSubject bool
	allow      func(*http.Request, string) bool
}

func newResource(r Resource) (resource, error) {
	if r.URL == "" {
		return resource{}, fmt.Errorf("%w: its URL is missing", ErrResource)
	}
	before, after, perSubject := strings.Cut(r.URL, "/"+subjectSegment+"/")
	plain := r.URL
	if perSubject {
		plain = before + "/x/" + after
	}
	scheme, host, path, err := splitURL(plain)
	if err != nil {
		return resource{}, fmt.Errorf("%w: URL %q: %w", ErrResource, r.URL, err)
	}
	if scheme != "https" {
		return resource{}, fmt.Errorf("%w: URL %q: use https, the cookies travel over nothing else", ErrResource, r.URL)
	}
	if strings.Contains(path, "?") || strings.Contains(strings.TrimSuffix(path, "/*"), "*") {
		return resource{}, fmt.Errorf("%w: URL %q: one * at the end, behind a slash, is the only wildcard", ErrResource, r.URL)
	}
	if perSubject {
		path = before[strings.Index(before, host)+len(host):] + "/"
	}
	checked := resource{
		url: r.URL, host: host, folder: path[:strings.LastIndexByte(path, '/')+1],
		path: r.Path, perSubject: perSubject, allow: r.Allow,
	}
	if r.Path == "" {
		return checked, nil
	}
	if r.Path[0] != '/' || strings.ContainsFunc(r.Path, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ';' || c == '*' || c == '?' }) {
		return resource{}, fmt.Errorf("%w: Path %q: it is a folder such as /private/, without wildcards", ErrResource, r.Path)
	}
	if !pathMatches(checked.folder, r.Path) {
		return resource{}, fmt.Errorf("%w: cookies with Path %q would not be sent to %q", ErrResource, r.Path, r.URL)
	}
	return checked, nil
}

// resolve returns the resource as it is signed for a user.
func (r resource) resolve(subject string) (string, error) {
	if !r.perSubject {
		return r.url, nil
	}
	segment, err := Segment(subject)
	if err != nil {
		return "", err
	}
	return strings.Replace(r.url, subjectSegment, segment, 1), nil
}

// pathMatches says whether a browser sends cookies of that Path with a request for path (RFC 6265, 5.1.4).
func pathMatches(path, cookiePath string) bool {
	return strings.HasPrefix(path, cookiePath) &&
		(len(path) == len(cookiePath) || strings.HasSuffix(cookiePath, "/") || path[len(cookiePath)] == '/')
}
