package pages

// View is one of the pages of this package.
type View interface{ layout() layout }

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

func (v SignInFailed) layout() layout {
	return layout{
		Mark: warning, Title: "You are not signed in", Message: v.Message,
		Links: []action{{URL: v.TryAgain, Text: "Sign in again"}}, Correlation: v.Correlation,
	}
}

// SignedIn leads on after a sign-in, for those whom a Refresh header does not.
type SignedIn struct {
	Next string // URL to go on at
}

func (v SignedIn) layout() layout {
	return layout{
		Title: "You are signed in", Message: "You will be at your page in a moment.",
		Links: []action{{URL: v.Next, Text: "Continue"}},
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
		Form: action{URL: v.Action, Text: "Sign out"}, Links: []action{{URL: v.Stay, Text: "Stay signed in"}}, redirects: v.Redirects,
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
		Links:   []action{{URL: v.TryAgain, Text: "Try again"}}, Correlation: v.Correlation,
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
		Links: []action{{URL: v.Home, Text: "Go to the start page"}, {URL: v.Switch, Text: "Sign in as someone else"}},
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
		Links:   []action{{URL: v.SignIn, Text: "Sign in again"}, {URL: v.Home, Text: "Go to the start page"}},
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
		Links: []action{{URL: v.TryAgain, Text: "Sign in again"}, {URL: v.Home, Text: "Go to the start page"}},
	}
}

// NotFound tells that there is no such page.
type NotFound struct {
	Home string // URL to go on at
}

func (v NotFound) layout() layout {
	return layout{
		Mark: warning, Title: "This page does not exist", Message: "There is nothing at this address.",
		Links: []action{{URL: v.Home, Text: "Go to the start page"}},
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
		Links: []action{{URL: v.Home, Text: "Go to the start page"}}, Correlation: v.Correlation,
	}
}

// AskForAgent asks somebody whether a client, such as an agent, may act for them.
type AskForAgent struct {
	Client     string   // what it calls itself; it may come from strangers
	Document   string   // host that vouches for the client; empty: none
	Place      string   // where the answer goes
	Resource   string   // what it asks for
	Scopes     []string // and how far
	SignedInAs string
	Action     string // URL that takes the answer
	Question   string // what the answer is to
	Origin     string // that the answer leads to: browsers hold it to the page's policy
}

func (v AskForAgent) layout() layout {
	name := "A program"
	if v.Client != "" {
		name = "“" + v.Client + "”"
	}
	details := []string{phrase("If you allow it, you go on to: %s.", v.Place)}
	if v.Document != "" {
		details = append(details, phrase("Who says what the program is: %s.", v.Document))
	} else {
		details = append(details, "The program has chosen its name by itself, and nobody has checked it.")
	}
	for _, s := range v.Scopes {
		details = append(details, phrase("It may: %s", s))
	}
	details = append(details, "Allow this only if you have just started it yourself. It ends when you sign out.")
	return layout{
		Mark: shutDoor, Title: "Let a program act for you?", Message: phrase("%s asks to use %s in your name.", name, v.Resource),
		Details: details, SignedInAs: v.SignedInAs, redirects: []string{v.Origin},
		Form: action{URL: v.Action, Text: "Allow", Other: "Do not allow", Question: v.Question},
	}
}

// AgentRefused tells somebody whom a client has sent here why that leads nowhere.
type AgentRefused struct {
	Reason string // as plain text
}

func (v AgentRefused) layout() layout {
	return layout{
		Mark: warning, Title: "This cannot go on", Message: "The program that sent you here asks for something that is not possible.",
		Details: []string{v.Reason, "You can close this window. Nothing has been changed."},
	}
}
