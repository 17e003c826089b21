package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Kinds of documents that the pages show, as the JSON API keeps them.
const (
	brandings      = "branding"
	termsDocuments = "terms"
)

// looks is what a client's style makes of the pages.
type looks struct {
	Style template.CSS // of colors and corners
	Logo  template.URL
	Terms []link
}

type link struct{ Text, URL string }

// clothe gives a page of a sign-in its language, and the style and the terms of the app
// client. The older pages have none of them.
func (p *Pages) clothe(w http.ResponseWriter, r *http.Request, v *view) {
	v.Lang = languages["en"]
	if v.authorization == nil {
		return
	}
	client := v.authorization.Client
	pool, err := p.state.Describe(client.PoolID)
	if err != nil {
		return
	}
	v.policy = pool.Rules().Policies.PasswordPolicy
	if !pool.Managed() {
		return
	}
	v.Lang = p.language(w, r)
	v.Looks.Style, v.Looks.Logo = branded(pool.Documents[brandings], client.ID)
	v.Looks.Terms = agreed(pool.Documents[termsDocuments], client.ID, v.Lang)
}

// stylePinOf and pictureSource are what the policy of a page says of its style and picture.
func stylePinOf(style template.CSS) string {
	if style == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(style))
	return " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func pictureSource(logo template.URL) string {
	if logo == "" {
		return ""
	}
	return "; img-src data:"
}

// agreed are the links to a client's terms, which are shown where there are both.
func agreed(all map[string]state.Document, clientID string, l language) []link {
	var links []link
	for _, kind := range [][2]string{{"terms-of-use", "Terms of use"}, {"privacy-policy", "Privacy policy"}} {
		for _, d := range all {
			var urls map[string]string
			_ = json.Unmarshal(d.Members["Links"], &urls) // checked when they were given
			target := urls["cognito:"+l.Name]
			if target == "" {
				target = urls["cognito:default"]
			}
			if d.Text("ClientId") == clientID && d.Text("TermsName") == kind[0] && target != "" {
				links = append(links, link{l.text(kind[1]), target})
			}
		}
	}
	if len(links) < 2 {
		return nil
	}
	return links
}

// paints are the settings of a style that the pages show: where they are in the document,
// and what they set. Names of colors in the pages' style sheet stand for all else.
var paints = []struct{ setting, property string }{
	{"components.pageBackground.%s.color", "--bg"},
	{"components.form.%s.backgroundColor", "--card"},
	{"components.form.%s.borderColor", "--line"},
	{"components.pageText.%s.headingColor", "--ink"},
	{"components.pageText.%s.bodyColor", "--soft"},
	{"components.primaryButton.%s.defaults.backgroundColor", "--accent"},
	{"components.primaryButton.%s.defaults.textColor", "--on-accent"},
	{"componentClasses.input.%s.defaults.borderColor", "--field"},
}

var corners = []struct{ setting, selector string }{
	{"components.form.borderRadius", ".card"}, {"componentClasses.buttons.borderRadius", "button"}, {"componentClasses.input.borderRadius", "input"},
}

// branded is the style of managed login that a client has.
func branded(all map[string]state.Document, clientID string) (style template.CSS, logo template.URL) {
	for _, d := range all {
		if d.Text("ClientId") != clientID {
			continue
		}
		var settings map[string]any
		var assets []asset
		_ = json.Unmarshal(d.Members["Settings"], &settings) // a document: anything may be in it
		_ = json.Unmarshal(d.Members["Assets"], &assets)
		return template.CSS(paint(settings)), logoOf(assets)
	}
	return "", ""
}

var (
	color = regexp.MustCompile(`^[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$`)
	dark  = "@media (prefers-color-scheme: dark) "
)

// paint makes a style sheet of the settings that are colors and numbers. Any other text
// in their places is left out.
func paint(settings map[string]any) string {
	var b strings.Builder
	mode, _ := at(settings, "categories.global.colorSchemeMode").(string)
	for _, m := range []struct{ name, around string }{{"lightMode", ""}, {"darkMode", dark}} {
		if m.around != "" && mode == "LIGHT" || m.around == "" && mode == "DARK" {
			continue
		}
		var rules []string
		for _, p := range paints {
			if value, _ := at(settings, fmt.Sprintf(p.setting, m.name)).(string); color.MatchString(value) {
				rules = append(rules, p.property+": #"+value)
			}
		}
		if len(rules) == 0 {
			continue
		}
		if mode == "DARK" {
			m.around = ""
		}
		if m.around != "" {
			fmt.Fprintf(&b, "%s{ :root { %s } }\n", m.around, strings.Join(rules, "; "))
			continue
		}
		scheme := map[string]string{"LIGHT": "color-scheme: light; ", "DARK": "color-scheme: dark; "}[mode]
		fmt.Fprintf(&b, ":root { %s%s }\n", scheme, strings.Join(rules, "; "))
		if mode == "LIGHT" {
			fmt.Fprintf(&b, "%s{ :root { %s%s } }\n", dark, scheme, strings.Join(rules, "; "))
		}
	}
	for _, c := range corners {
		if n, ok := at(settings, c.setting).(float64); ok && n >= 0 && n <= 100 {
			fmt.Fprintf(&b, "%s { border-radius: %gpx }\n", c.selector, n)
		}
	}
	return b.String()
}

// at finds a member of members.
func at(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	return value
}

type asset struct {
	Category, ColorMode, Extension string
	Bytes                          []byte
}

var pictures = map[string]string{"ICO": "image/x-icon", "JPEG": "image/jpeg", "PNG": "image/png", "SVG": "image/svg+xml", "WEBP": "image/webp"}

// logoOf is the picture above the form; that of the page's head, where there is no other.
func logoOf(assets []asset) template.URL {
	for _, category := range []string{"FORM_LOGO", "PAGE_HEADER_LOGO"} {
		i := slices.IndexFunc(assets, func(a asset) bool {
			return a.Category == category && a.ColorMode != "DARK" && len(a.Bytes) > 0 && pictures[a.Extension] != ""
		})
		if i >= 0 {
			return template.URL("data:" + pictures[assets[i].Extension] + ";base64," + base64.StdEncoding.EncodeToString(assets[i].Bytes))
		}
	}
	return ""
}
