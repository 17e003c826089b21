package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

type onMetadataURL struct {
	UserPoolId   string
	CIMDPolicyId string
	URL          string
	Action       string
	NextToken    string
	MaxResults   *int
}

// metadataURL is a URL that came, and what is kept of its document.
type metadataURL struct {
	URL            string
	CachedDate     *epoch `json:",omitempty"`
	ExpirationDate *epoch `json:",omitempty"`
}

// policyOf finds the policy of a request.
func (a *API) policyOf(in *onMetadataURL) error {
	_, ok, err := a.state.Document(in.UserPoolId, metadataPolicies.kind, in.CIMDPolicyId)
	if err == nil && !ok {
		err = metadataPolicies.missing(in.CIMDPolicyId)
	}
	return err
}

func (a *API) listClientMetadataURLs(in *onMetadataURL) (any, error) {
	if err := a.policyOf(in); err != nil {
		return nil, err
	}
	all, err := a.state.MetadataURLs(in.UserPoolId, in.CIMDPolicyId)
	if err != nil {
		return nil, err
	}
	after := in.NextToken
	in.NextToken = ""
	page, next, err := pageOf(a, after, in, all, limitOf(in.MaxResults), func(u state.MetadataURL) string { return u.URL })
	if err != nil {
		return nil, err
	}
	list := make([]metadataURL, 0, len(page))
	for _, u := range page {
		shown := metadataURL{URL: u.URL}
		if u.Document != nil {
			shown.CachedDate, shown.ExpirationDate = new(epoch(u.Cached)), new(epoch(u.Expires))
		}
		list = append(list, shown)
	}
	answer := map[string]any{"ClientMetadataURLs": list}
	if next != "" {
		answer["NextToken"] = next
	}
	return answer, nil
}

func (a *API) updateClientMetadataURLState(ctx context.Context, in *onMetadataURL) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err == nil {
		err = metadataPolicies.plan(p)
	}
	if err == nil {
		err = a.policyOf(in)
	}
	if err != nil {
		return nil, err
	}
	known, ok := a.state.MetadataURL(p.ID, in.CIMDPolicyId, in.URL)
	switch {
	case !ok, in.Action == "INVALIDATE" && known.Document == nil:
		return nil, &state.Error{Type: "CachedCIMDURLDoesNotExistException", Message: "The URL is not in the cache: " + in.URL}
	case in.Action == "INVALIDATE":
		known.Document, known.Cached, known.Expires = nil, time.Time{}, time.Time{}
		return empty, a.state.SetMetadataURL(p.ID, known)
	}
	// (Unconfirmed: "a metadata document that cannot be fetched".)
	if err := a.documents.Refresh(ctx, p.ID, in.CIMDPolicyId, in.URL); err != nil {
		return nil, invalid("The client metadata document cannot be refreshed: %v", err)
	}
	return empty, nil
}

// forgetting has the URLs go with their policy.
func forgetting(remove operation) operation {
	do := remove.serve
	remove.serve = func(ctx context.Context, a *API, body []byte) (any, error) {
		answer, err := do(ctx, a, body)
		var in struct{ UserPoolId, CIMDPolicyId string }
		if err != nil || json.Unmarshal(body, &in) != nil {
			return answer, err
		}
		return answer, a.state.ForgetMetadataURLs(in.UserPoolId, in.CIMDPolicyId)
	}
	return remove
}
