package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// document is what a client says of itself, in the words of RFC 7591.
type document struct {
	ID            string   `json:"client_id"`
	Name          string   `json:"client_name,omitempty"`
	RedirectURIs  []string `json:"redirect_uris,omitempty"`
	GrantTypes    []string `json:"grant_types,omitempty"`
	ResponseTypes []string `json:"response_types,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method,omitempty"`
	Secret        string   `json:"client_secret,omitempty"`
}

const maxURIs = 100

// parse reads a document that was had from a URL.
func parse(id string, body []byte) (d document, err error) {
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("the document is not a JSON object of client metadata: %w", err)
	}
	switch {
	case d.ID != id:
		return d, errors.New("the client_id in the document is not its URL")
	case d.Secret != "" || d.AuthMethod != "" && d.AuthMethod != "none":
		return d, errors.New("the document has to allow token_endpoint_auth_method none: clients from outside have no secret")
	case len(d.RedirectURIs) == 0 || len(d.RedirectURIs) > maxURIs:
		return d, fmt.Errorf("the document has no redirect_uris, or more than %d", maxURIs)
	}
	for _, u := range d.RedirectURIs {
		if err := state.CheckURL(u); err != nil {
			return d, fmt.Errorf("redirect_uris of the document: %w", err)
		}
	}
	if len(d.GrantTypes) == 0 {
		d.GrantTypes = []string{"authorization_code"}
	}
	return d, nil
}

// flows are the grant types of documents, by the flow of app clients.
var flows = map[string]string{"code": "authorization_code", "implicit": "implicit"}

// as returns the app client as the one that the document describes: what either does not
// allow is not allowed.
// (Unconfirmed: "settings of a client with a metadata document".)
func (d document) as(c state.Client) state.Client {
	c.URL, c.Secrets, c.SecretDates, c.SecretARN = d.ID, nil, nil, ""
	c.Flows = slices.DeleteFunc(slices.Clone(c.Flows), func(flow string) bool { return flows[flow] == "" || !slices.Contains(d.GrantTypes, flows[flow]) })
	c.CallbackURLs, c.DefaultRedirectURI = d.RedirectURIs, ""
	if asked := strings.Fields(d.Scope); len(asked) > 0 {
		c.Scopes = slices.DeleteFunc(slices.Clone(c.Scopes), func(scope string) bool { return !slices.Contains(asked, scope) })
	}
	return c
}
