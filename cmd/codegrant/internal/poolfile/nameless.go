package poolfile

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// ofPeople are settings of a pool that may name people of the company: tags and senders,
// which no local pool uses, and the texts of messages about second factors, for which a
// local pool has its own.
var ofPeople = map[string][]string{
	"pool": {"UserPoolTags", "EmailConfiguration", "SmsAuthenticationMessage"},
	"mfa":  {"Message", "Subject", "SmsAuthenticationMessage"},
}

// elementsOfPeople are those of a SAML metadata file that name people of the provider.
var elementsOfPeople = []string{"ContactPerson", "Organization"}

// nameless is a copy of a file without settings that name people.
func (f *File) nameless() *File {
	local := *f
	local.Pool, local.MFA = lacking(f.Pool, ofPeople["pool"]), lacking(f.MFA, ofPeople["mfa"])
	local.Providers = make(map[string]settings)
	for name, provider := range f.Providers {
		local.Providers[name] = withoutContacts(provider)
	}
	return &local
}

// lacking is a copy without members of some names, however deep they are.
func lacking(s settings, names []string) settings {
	left := maps.Clone(s)
	for member, v := range s {
		if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, member) }) {
			delete(left, member)
		} else if inner, ok := v.(settings); ok {
			left[member] = lacking(inner, names)
		}
	}
	return left
}

func withoutContacts(s settings) settings {
	left := maps.Clone(s)
	for member, v := range s {
		switch v := v.(type) {
		case settings:
			left[member] = withoutContacts(v)
		case string:
			if !strings.EqualFold(member, "MetadataFile") {
				continue
			}
			if text, err := uncontacted(v); err == nil {
				left[member] = text
			} else {
				delete(left, member) // a pool takes none that is not XML
			}
		}
	}
	return left
}

// uncontacted is a metadata file without what names people of the provider, and without
// comments. Everything else is as it was.
func uncontacted(text string) (string, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // only names of elements are read
	var b strings.Builder
	inside := 0 // of an element that goes
	for {
		from := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) && inside == 0 {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		gone := inside > 0
		switch token := token.(type) {
		case xml.StartElement:
			if gone || slices.Contains(elementsOfPeople, token.Name.Local) {
				gone = true
				inside++
			}
		case xml.EndElement:
			inside = max(0, inside-1)
		case xml.Comment:
			gone = true
		}
		if !gone {
			b.WriteString(text[from:d.InputOffset()])
		}
	}
}
