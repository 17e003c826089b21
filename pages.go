package codegrant

import (
	"errors"
	"io/fs"
	"net/http"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/pages"
)

// Pages sets the look of Codegrant's pages: a failed sign-in, 403, 503, a person's
// sessions. An empty field keeps the default. [New] tries each template with all of its
// pages, in every language. It refuses a template that leaves a page blank, or that the
// policy of pages blocks: scripts, its own styles, and content from elsewhere.
// docs/pages.md lists the templates and their data.
type Pages struct {
	// Name is that of the service, in the title of windows and in place of a logo. At most
	// 60 characters.
	Name string

	// Logo is a file of SVG, PNG, JPEG, WebP or GIF, of at most 32 KiB, which each page
	// carries. It needs a Name, for those who cannot see it. LogoDark takes its place for
	// people who have things dark.
	Logo, LogoDark []byte

	// Colors and DarkColors are refused where text could not be read (WCAG 2.2, 1.4.3). A
	// dark accent follows from the light one.
	Colors, DarkColors PageColors

	// Templates are files that take the place of the built-in ones: page.html, content.html,
	// style.css, and one for each page, such as denied.html.
	Templates fs.FS
}

// PageColors are colors of [Pages], as #rrggbb.
type PageColors struct {
	Background string // of the window
	Card       string // of the page in it
	Line       string // around and between parts; it needs no contrast
	Text       string
	Muted      string // of text that matters less
	Accent     string // of buttons and links
	OnAccent   string // of the text of buttons; follows from Accent
	Hover      string // of buttons under the pointer; follows from Accent
	Notice     string // of what was done; follows from Accent
	OnNotice   string // behind it; follows from Notice and Card
	Warning    string // of what has failed
	OnWarning  string // behind it; follows from Warning and Card
}

// look is nil where nothing is designed.
func (p Pages) look() (*pages.Look, error) {
	if p.Name == "" && len(p.Logo) == 0 && len(p.LogoDark) == 0 && p.Colors == (PageColors{}) && p.DarkColors == (PageColors{}) && p.Templates == nil {
		return nil, nil
	}
	return pages.New(pages.Design{
		Name: p.Name, Logo: p.Logo, LogoDark: p.LogoDark, Light: pages.Colors(p.Colors), Dark: pages.Colors(p.DarkColors), Templates: p.Templates,
	})
}

// Answer answers a request with a status, as [Auth.Require] would: with a page for people,
// and a problem document for programs. Use 502, 503 and 504 if a server behind the caller,
// such as an application, did not answer. reason is not shown, and may be nil. Answer
// returns the reference that the answer shows. The caller writes it to the log.
func (a *Auth) Answer(w http.ResponseWriter, r *http.Request, status int, reason error) (reference string) {
	p := problemDocument{Type: "about:blank", Title: http.StatusText(status), Status: status}
	view := pages.Failed{Status: status, TooMuch: errors.Is(reason, fault.Untellable)}
	if away := status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout; away || status == http.StatusInternalServerError || view.TooMuch {
		p.Correlation = correlation()
		view.Correlation = p.Correlation
		if away {
			p.Type, p.Detail = problemTypes+"upstream", "The application behind this address does not answer. Your session is kept; try again."
			if isSafe(r.Method) {
				view.TryAgain = a.gate.returnTo(r.RequestURI)
			}
		}
	}
	if view.TooMuch {
		p.Type, p.Detail = problemTypes+"too-large", "Your account has more groups or a longer name than this service can pass on. Please contact support."
	}
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case !navigates(r):
		writeProblem(w, p)
	case p.Correlation == "":
		a.gate.look.Answer(w, r, status)
	default:
		a.gate.look.Render(w, r, status, view)
	}
	return p.Correlation
}
