package pages

// Section is a part of a page that has several. What is empty is left out.
type Section struct {
	Title   string
	Message string
	Items   []Item
	Forms   []Form
}

// Item is one of a list.
type Item struct {
	Title string
	Tag   string // beside the title
	Lines []string
	Forms []Form
}

// Form is a POST to a page of ours.
type Form struct {
	URL    string
	Text   string // of its button
	For    string // what a screen reader adds to that, where several read the same
	Fields []Field
	Quiet  bool // not what the page is for
}

// Field is one of a form's. Nobody sees it.
type Field struct{ Name, Value string }

// Sessions shows a person their sessions.
type Sessions struct {
	SignedInAs string
	Done       string // what was just done
	Note       string // what cannot be shown or done here
	Items      []Item
	Forms      []Form
	Home       string   // URL to go on at
	Redirects  []string // origins that the answers to the forms lead through
}

func (v Sessions) layout() layout {
	return layout{
		Title: "Your sessions", Message: "Each is a browser in which you are signed in here.", SignedInAs: v.SignedInAs, Notice: v.Done,
		Sections: []Section{{Items: v.Items, Message: v.Note, Forms: v.Forms}},
		Links:    []action{{URL: v.Home, Text: "Go to the start page"}}, redirects: v.Redirects,
	}
}

// SignedOutEverywhere says what became of it, where not all could be done.
type SignedOutEverywhere struct {
	NotDone []string
	Next    string // URL to go on at
}

func (v SignedOutEverywhere) layout() layout {
	return layout{
		Mark: leaving, Title: "You are signed out", Message: "Your sessions here have ended. This could not be done:",
		Details: v.NotDone, Links: []action{{URL: v.Next, Text: "Continue"}},
	}
}
