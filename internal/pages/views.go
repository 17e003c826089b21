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

// SignedIn leads on after a sign-in, for those whom a Refresh header does not.
type SignedIn struct {
	Next string // URL to go on at
}

func (v SignedIn) layout() layout {
	return layout{
		Title: "You are signed in", Message: "You will be at your page in a moment.",
		Links: []action{{v.Next, "Continue"}},
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

// StepUpFirst tells somebody who is signed in that what they have sent asks for another
// sign-in, before it is lost on the way to one.
type StepUpFirst struct {
	SignIn string // URL to sign in again at
	Home   string // URL for those who change their mind
}

func (v StepUpFirst) layout() layout {
	return layout{
		Mark: shutDoor, Title: "Please sign in again first", Message: "What you have sent needs a stronger or more recent sign-in. Nothing has been changed.",
		Details: []string{"Sign in again, and then send it once more."},
		Links:   []action{{v.SignIn, "Sign in again"}, {v.Home, "Go to the start page"}},
	}
}

// StepUpFailed tells somebody who has signed in again that it was not enough.
type StepUpFailed struct {
	Details     []string // what is missing
	TryAgain    string   // URL to sign in once more at
	Home        string   // URL of a page that they may see
	Correlation string
}

func (v StepUpFailed) layout() layout {
	return layout{
		Mark: shutDoor, Title: "Signing in again was not enough", Message: "You are signed in, but not as the page asks for.",
		Details: v.Details, Correlation: v.Correlation,
		Links: []action{{v.TryAgain, "Sign in again"}, {v.Home, "Go to the start page"}},
	}
}

// FromElsewhere tells that another site made the browser send a request that
// changes something.
type FromElsewhere struct {
	Home        string // URL to go on at
	Correlation string
}

func (v FromElsewhere) layout() layout {
	return layout{
		Mark: shutDoor, Title: "Request from another site", Message: "A page of another site made your browser send this. Nothing has been changed.",
		Links: []action{{v.Home, "Go to the start page"}}, Correlation: v.Correlation,
	}
}
