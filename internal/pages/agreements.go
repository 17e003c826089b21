package pages

// Agreements show somebody which clients may act for them, and take an answer: that one of
// them may not any more.
type Agreements struct {
	SignedInAs string
	List       []Agreement
	More       bool   // there are more than can be shown
	Ended      bool   // one was ended just now
	Action     string // URL that takes the value of the one that is to end, as item
	Home       string
}

// Agreement is one client that may act for the person.
type Agreement struct {
	Client   string // what it calls itself; it may come from strangers
	Place    string // where its answers go
	Resource string
	Scopes   []string
	Until    string
	Value    string
}

func (v Agreements) layout() layout {
	out := layout{
		Mark: shutDoor, Title: "Programs that act for you", Message: "You have let these programs act for you. Each may do so until you end it here, or sign out.",
		SignedInAs: v.SignedInAs, Links: []action{{URL: v.Home, Text: "Go to the start page"}},
	}
	if len(v.List) == 0 {
		out.Message = "No program acts for you."
	}
	if v.Ended {
		out.Notice = "It has ended: the program cannot act for you any more."
	}
	if v.More {
		out.Details = append(out.Details, "There are more than this page shows: end some, and load it again.")
	}
	var items []Item
	for _, a := range v.List {
		name := "A program without a name"
		if a.Client != "" {
			name = "“" + a.Client + "”"
		}
		details := []string{"It may use " + a.Resource + " in your name until " + a.Until + ", and is at: " + a.Place + "."}
		for _, s := range a.Scopes {
			details = append(details, "It may: "+s)
		}
		items = append(items, Item{Title: name, Lines: details, Forms: []Form{
			{URL: v.Action, Text: "End this", For: name, Fields: []Field{{Name: "item", Value: a.Value}}, Quiet: true},
		}})
	}
	if len(items) > 0 {
		out.Sections = []Section{{Items: items}}
	}
	return out
}
