package pages

// View is one of the pages of this package.
type View interface{ layout() layout }

// layout is what a page consists of, from top to bottom. What is empty is left out.
type layout struct {
	Mark        mark
	Title       string
	Message     string
	Details     []string
	SignedInAs  string
	Form        action // a POST without fields
	Links       []action
	Correlation string

	redirects []string // origins that the answer to the form leads through
}

// action is something to do on a page.
type action struct{ URL, Text string }

// mark names the drawing above the title.
type mark string

const (
	warning  mark = "warning"
	leaving  mark = "leaving"
	done     mark = "done"
	shutDoor mark = "shut"
)

// SignInFailed tells that a sign-in ended without a session.
type SignInFailed struct {
	Message     string // what went wrong, as plain text; it may come from strangers
	TryAgain    string // URL to start over at
	Correlation string // names the event in the log
}

func (v SignInFailed) layout() layout {
	return layout{
		Mark: warning, Title: "You are not signed in", Message: v.Message,
		Links: []action{{v.TryAgain, "Sign in again"}}, Correlation: v.Correlation,
	}
}

// ConfirmSignOut asks a person whom another site sent to the sign-out.
type ConfirmSignOut struct {
	Action string // URL that a POST signs out at
	Stay   string // URL for those who change their mind
	// Redirects are the origins that the answer to the POST leads through, one
	// after another: browsers hold each of them to the page's policy.
	Redirects []string
}

func (v ConfirmSignOut) layout() layout {
	return layout{
		Mark: leaving, Title: "Sign out?", Message: "You came here from another site. Nothing has happened yet.",
		Form: action{v.Action, "Sign out"}, Links: []action{{v.Stay, "Stay signed in"}}, redirects: v.Redirects,
	}
}

// SignedOut tells that the session is over.
type SignedOut struct {
	SignIn string // URL to sign in at; empty: not offered
}

func (v SignedOut) layout() layout {
	return layout{
		Mark: done, Title: "You are signed out", Message: "If other people use this device, close the browser as well.",
		Links: []action{{v.SignIn, "Sign in"}},
	}
}

// Unavailable tells that something which the answer depends on does not respond.
type Unavailable struct {
	TryAgain    string // URL of the same request; empty where it is not safe to repeat
	Correlation string
}

func (v Unavailable) layout() layout {
	return layout{
		Mark: warning, Title: "Temporarily unavailable", Message: "Something that this service depends on does not respond.",
		Details: []string{"You have not been signed out. Please try again in a moment."},
		Links:   []action{{v.TryAgain, "Try again"}}, Correlation: v.Correlation,
	}
}

// Denied tells somebody who is signed in that they may not see this.
type Denied struct {
	SignedInAs  string // name or address of the person; empty: not shown
	Home        string // URL of a page that they may see
	Switch      string // URL to sign in at as somebody else; empty: not offered
	Correlation string
}

func (v Denied) layout() layout {
	return layout{
		Mark: shutDoor, Title: "Not allowed", Message: "Your account lacks the permission that this page asks for.",
		SignedInAs: v.SignedInAs, Correlation: v.Correlation,
		Links: []action{{v.Home, "Go to the start page"}, {v.Switch, "Sign in as someone else"}},
	}
}

// Page is a page of any other kind.
type Page struct {
	Title       string
	Message     string   // plain text; it may come from strangers
	Details     []string // further lines
	Correlation string

	Link, LinkText string // goes on; empty: not offered
	Post, PostText string // posts a form without fields; empty: none
	PostOrigin     string // where the answer to the form redirects to
}

func (p Page) layout() layout {
	return layout{
		Mark: warning, Title: p.Title, Message: p.Message, Details: p.Details, Correlation: p.Correlation,
		Form: action{p.Post, p.PostText}, Links: []action{{p.Link, p.LinkText}}, redirects: []string{p.PostOrigin},
	}
}
