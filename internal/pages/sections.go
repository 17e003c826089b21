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
