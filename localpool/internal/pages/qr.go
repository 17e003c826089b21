package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"rsc.io/qr"
)

// authenticator is the URL by which an authenticator app takes a key.
func authenticator(key any, username string) template.URL {
	q := url.Values{"secret": {fmt.Sprint(key)}, "issuer": {"Local pool"}}
	return template.URL("otpauth://totp/" + url.PathEscape("Local pool:"+username) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20"))
}

// qrCode is that URL as a picture, which the page has in itself.
func qrCode(key any, username string) template.HTML {
	code, err := qr.Encode(string(authenticator(key, username)), qr.M)
	if err != nil {
		return "" // too long for any; the key is beneath it
	}
	const quiet = 4
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" aria-label="The key as a QR code" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges"><path d="`, code.Size+2*quiet)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String())
}
