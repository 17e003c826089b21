package pages

import "time"

// nameOf is what a page calls a client, whose name may come from strangers.
func (t tongue) nameOf(client, without string) string {
	if client == "" {
		return t.say(without)
	}
	return "“" + plain(client) + "”"
}

// AskForAgent asks somebody whether a client, such as an agent, may act for them.
type AskForAgent struct {
	Client     string   // what it calls itself; it may come from strangers
	Document   string   // host that vouches for the client; empty: none
	Place      string   // where the answer goes; empty: to this computer
	Resource   string   // what it asks for
	Scopes     []string // and how far
	SignedInAs string
	Action     string // URL that takes the answer
	Question   string // what the answer is to
	Origin     string // that the answer leads to: browsers hold it to the page's policy
}

func (v AskForAgent) layout(t tongue) layout {
	details := []string{t.say("If you allow it, you continue to: %s.", t.placeOf(v.Place))}
	if v.Document != "" {
		details = append(details, t.say("The program is described at: %s.", v.Document))
	} else {
		details = append(details, t.say("The program has chosen its name by itself, and nobody has checked it."))
	}
	for _, s := range v.Scopes {
		details = append(details, t.say("It may: %s", s))
	}
	details = append(details, t.say("Allow this only if you have just started it yourself. It ends when you sign out."))
	return layout{
		Mark: shutDoor, Title: t.say("Let a program act for you?"), Message: t.say("%s asks to use %s in your name.", t.nameOf(v.Client, "A program"), v.Resource),
		Details: details, SignedInAs: v.SignedInAs, redirects: []string{v.Origin},
		Form: action{URL: v.Action, Text: t.say("Allow"), Other: t.say("Do not allow"), Question: v.Question},
	}
}

// placeOf is where answers for a client go.
func (t tongue) placeOf(host string) string {
	if host == "" {
		return t.say("a program on this computer")
	}
	return host
}

// AgentRefused tells somebody whom a client has sent here why that leads nowhere.
type AgentRefused struct {
	// Reason is one of the catalogue, or else a text that is for those who make the client.
	Reason string
}

func (v AgentRefused) layout(t tongue) layout {
	reason := t.say("For the developers of the program: %s", v.Reason)
	if knows(v.Reason) {
		reason = t.say(v.Reason)
	}
	return layout{
		Mark: warning, Title: t.say("This request cannot continue"), Message: t.say("The program that sent you here asks for something that is not possible."),
		Details: []string{reason, t.say("You can close this window. Nothing has been changed.")},
	}
}

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
	Place    string // where its answers go; empty: to this computer
	Resource string
	Scopes   []string
	Until    time.Time
	Value    string
}

func (v Agreements) layout(t tongue) layout {
	out := layout{
		Mark: shutDoor, Title: t.say("Programs that act for you"), Message: t.say("You have let these programs act for you. Each may do so until you end it here, or sign out."),
		SignedInAs: v.SignedInAs, Links: []action{{URL: v.Home, Text: t.say("Go to the start page")}},
	}
	if len(v.List) == 0 {
		out.Message = t.say("No program acts for you.")
	}
	if v.Ended {
		out.Notice = t.say("It has ended: the program cannot act for you any more.")
	}
	if v.More {
		out.Details = append(out.Details, t.say("You have more programs than this page shows. End some, and load the page again."))
	}
	var items []Item
	for _, a := range v.List {
		name := t.nameOf(a.Client, "A program without a name")
		details := []string{t.say("It may use %s in your name until %s.", a.Resource, a.Until), t.say("Its answers go to: %s.", t.placeOf(a.Place))}
		for _, s := range a.Scopes {
			details = append(details, t.say("It may: %s", s))
		}
		items = append(items, Item{Title: name, Lines: details, Forms: []Form{
			{URL: v.Action, Text: t.say("End this"), For: name, Fields: []Field{{Name: "item", Value: a.Value}}, Quiet: true},
		}})
	}
	if len(items) > 0 {
		out.Sections = []Section{{Items: items}}
	}
	return out
}
