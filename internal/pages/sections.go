package pages

// Section is a part of a page that has several. What is empty is left out.
type Section struct {
	Title   string
	Message string
	Fault   string // what kept something from being done
	Picture Picture
	Items   []Item
	Forms   []Form
	Links   []Link
}

// Picture is a drawing of squares, such as a QR code, and what it says in letters.
type Picture struct {
	Name string // what a screen reader says of it
	Size int    // of a side, in squares
	Path string // of SVG: the dark ones
	Text string // to type where it cannot be scanned
}

// Link leads to another page.
type Link struct {
	URL, Text string
	For       string // what a screen reader adds to that, where several read the same
}

// Item is one of a list.
type Item struct {
	Title string
	Tag   string // beside the title
	Lines []string
	Forms []Form
	Links []Link
}

// Form is a POST to a page of ours.
type Form struct {
	URL    string
	Text   string // of its button
	For    string // what a screen reader adds to that, where several read the same
	Fields []Field
	Inputs []Input
	Quiet  bool // not what the page is for
}

// Field is one of a form's. Nobody sees it.
type Field struct{ Name, Value string }

// Input is one that people fill in.
type Input struct {
	Name, Label string
	Type        string // of HTML; checkbox has its label behind it
	Value       string
	Complete    string // what browsers and password managers fill in (autocomplete)
	Mode        string // the keyboard of a phone (inputmode)
	Hint        string
	Most        int // characters; 0: any number
	Needed      bool
}
