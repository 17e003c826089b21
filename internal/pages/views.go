package pages

import "time"

// View is one of the pages of this package.
type View interface {
	// layout is the page, in the words of a language.
	layout(t tongue) layout
}

// layout is what a page consists of, from top to bottom. What is empty is left out.
type layout struct {
	Mark        mark
	Title       string
	Notice      string // what was just done
	Message     string
	Details     []string
	SignedInAs  string
	Form        action // a POST without fields of its own
	Sections    []Section
	Links       []action
	Correlation string

	Language       string // of all that is not from elsewhere
	Who, Reference string // words before SignedInAs and Correlation

	redirects []string // origins that the answer to the form leads through
	secret    bool     // its URL has one
	refers    bool     // a link tells this origin the page
}

// posts reports whether the page has a form.
func (l layout) posts() bool {
	for _, s := range l.Sections {
		if len(s.Forms) > 0 {
			return true
		}
		for _, i := range s.Items {
			if len(i.Forms) > 0 {
				return true
			}
		}
	}
	return l.Form.URL != ""
}

// action is something to do on a page.
type action struct {
	URL, Text string

	// Of a form that is a question: what it is, and how to say no.
	Question, Other string
}

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

func (v SignInFailed) layout(t tongue) layout {
	return layout{
		Mark: warning, Title: t.say("You are not signed in"), Message: v.Message,
		Links: []action{{URL: v.TryAgain, Text: t.say("Sign in again")}}, Correlation: v.Correlation,
	}
}

// SignedIn leads on after a sign-in, for those whom a Refresh header does not.
type SignedIn struct {
	Next string // URL to go on at
}

func (v SignedIn) layout(t tongue) layout {
	return layout{
		Title: t.say("You are signed in"), Message: t.say("You will be at your page in a moment."),
		Links: []action{{URL: v.Next, Text: t.say("Continue")}},
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

func (v ConfirmSignOut) layout(t tongue) layout {
	return layout{
		Mark: leaving, Title: t.say("Sign out?"), Message: t.say("You came here from another site. Nothing has happened yet."),
		Form: action{URL: v.Action, Text: t.say("Sign out")}, Links: []action{{URL: v.Stay, Text: t.say("Stay signed in")}}, redirects: v.Redirects,
	}
}

// Unavailable tells that something which the answer depends on does not respond.
type Unavailable struct {
	TryAgain    string // URL of the same request; empty where it is not safe to repeat
	Correlation string
}

func (v Unavailable) layout(t tongue) layout {
	return layout{
		Mark: warning, Title: t.say("Temporarily unavailable"), Message: t.say("Something that this service depends on does not respond."),
		Details: []string{t.say("You have not been signed out. Please try again in a moment.")},
		Links:   []action{{URL: v.TryAgain, Text: t.say("Try again")}}, Correlation: v.Correlation,
	}
}

// Denied tells somebody who is signed in that they may not see this.
type Denied struct {
	SignedInAs  string // name or address of the person; empty: not shown
	Home        string // URL of a page that they may see
	Switch      string // URL to sign in at as somebody else; empty: not offered
	Correlation string
}

func (v Denied) layout(t tongue) layout {
	return layout{
		Mark: shutDoor, Title: t.say("Not allowed"), Message: t.say("Your account lacks the permission that this page asks for."),
		SignedInAs: v.SignedInAs, Correlation: v.Correlation,
		Links: []action{{URL: v.Home, Text: t.say("Go to the start page")}, {URL: v.Switch, Text: t.say("Sign in as someone else")}},
	}
}

// StepUpFirst tells somebody who is signed in that what they have sent asks for another
// sign-in, before it is lost on the way to one.
type StepUpFirst struct {
	SignIn string // URL to sign in again at
	Home   string // URL for those who change their mind
}

func (v StepUpFirst) layout(t tongue) layout {
	return layout{
		Mark: shutDoor, Title: t.say("Please sign in again first"), Message: t.say("Your request needs a stronger or more recent sign-in. Nothing has been changed."),
		Details: []string{t.say("Sign in again, then send the request again.")},
		Links:   []action{{URL: v.SignIn, Text: t.say("Sign in again")}, {URL: v.Home, Text: t.say("Go to the start page")}},
	}
}

// StepUpFailed tells somebody who has signed in again that it was not enough.
type StepUpFailed struct {
	Level       string        // that the page asks for; empty: any
	Reached     string        // that the sign-in was at; empty: nobody said
	Within      time.Duration // how long ago the sign-in may be, where Aged
	Aged        bool
	TryAgain    string // URL to sign in once more at
	Home        string // URL of a page that they may see
	Correlation string
}

func (v StepUpFailed) layout(t tongue) layout {
	var details []string
	switch {
	case v.Level != "" && v.Reached != "":
		details = append(details, t.say("The page asks for the level %s or a higher one. You have signed in at the level %s.", v.Level, v.Reached))
	case v.Level != "":
		details = append(details, t.say("The page asks for the level %s or a higher one. The sign-in service did not say at which level you have signed in.", v.Level))
	}
	if v.Aged {
		details = append(details, t.say("The page asks for a sign-in within the last %s. The sign-in service did not ask you again.", v.Within))
	}
	return layout{
		Mark: shutDoor, Title: t.say("Signing in again was not enough"), Message: t.say("You are signed in, but this page needs a stronger or more recent sign-in."),
		Details: details, Correlation: v.Correlation,
		Links: []action{{URL: v.TryAgain, Text: t.say("Sign in again")}, {URL: v.Home, Text: t.say("Go to the start page")}},
	}
}

// Why is what the page says of the failure, in English, for programs.
func (v StepUpFailed) Why() []string { return v.layout(0).Details }

// NotFound tells that there is no such page.
type NotFound struct {
	Home string // URL to go on at
}

func (v NotFound) layout(t tongue) layout {
	return layout{
		Mark: warning, Title: t.say("This page does not exist"), Message: t.say("There is nothing at this address."),
		Links: []action{{URL: v.Home, Text: t.say("Go to the start page")}},
	}
}

// FromElsewhere tells that another site made the browser send a request that
// changes something.
type FromElsewhere struct {
	Home        string // URL to go on at
	Correlation string
}

func (v FromElsewhere) layout(t tongue) layout {
	return layout{
		Mark: shutDoor, Title: t.say("Request from another site"), Message: t.say("A page of another site made your browser send this. Nothing has been changed."),
		Links: []action{{URL: v.Home, Text: t.say("Go to the start page")}}, Correlation: v.Correlation,
	}
}
