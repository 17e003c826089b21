package api

import (
	"context"
	"net/http"
	"regexp"
)

// regional is a request to which it matters what region it is for.
type regional interface{ in(region string) }

func (in *createUserPool) in(region string) { in.region = region }

type regionKey struct{}

var scope = regexp.MustCompile(`Credential=[^/,]+/[0-9]{8}/([a-z]{2}(?:-[a-z]+)+-[0-9])/cognito-idp/aws4_request`)

// withRegion notes the region that a request is signed for (AWS, Signature Version 4).
func withRegion(r *http.Request) context.Context {
	m := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return r.Context()
	}
	return context.WithValue(r.Context(), regionKey{}, m[1])
}

// signed reports whether a request is signed with AWS credentials, of which any count here.
func signed(ctx context.Context) bool { return regionOf(ctx) != "" }

func regionOf(ctx context.Context) string {
	region, _ := ctx.Value(regionKey{}).(string)
	return region
}
