package api

import (
	"encoding/xml"
	"strings"
)

// metadataOf are the details that AWS adds to those of a SAML provider: where its metadata
// say that people are sent to sign in and out. What cannot be read has none.
// (Unconfirmed: "`SLORedirectBindingURI` of SAML providers".)
func metadataOf(file string) map[string]string {
	details := make(map[string]string)
	decoder := xml.NewDecoder(strings.NewReader(file))
	for {
		token, err := decoder.Token()
		if err != nil {
			return details
		}
		element, ok := token.(xml.StartElement)
		member := map[string]string{"SingleSignOnService": "SSORedirectBindingURI", "SingleLogoutService": "SLORedirectBindingURI"}[element.Name.Local]
		if !ok || member == "" {
			continue
		}
		attributes := make(map[string]string)
		for _, a := range element.Attr {
			attributes[a.Name.Local] = a.Value
		}
		if attributes["Binding"] == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" && attributes["Location"] != "" {
			details[member] = attributes["Location"]
		}
	}
}
