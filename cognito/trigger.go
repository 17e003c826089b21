package cognito

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// TriggerError is what one of the pool's Lambda triggers had to say when it
// refused a sign-in. All of it is bounded plain text of strangers: escape it.
type TriggerError struct {
	Trigger string // such as PreSignUp
	// Text is the trigger's own text, without a payload.
	Text string
	// Messages are those of a payload, by language tag in lower case; "" is the
	// one of a payload that has just one. Nil without a payload.
	Messages map[string]string
}

const (
	failedWith     = " failed with error "
	maxTriggerText = 1 << 10
	maxLanguages   = 64
)

// ParseTriggerError reads an error_description, or a message of the user pools
// API, of the form
//
//	PreSignUp failed with error TEXT@PAYLOAD.
//
// where @PAYLOAD, which may be missing, is base64 of a JSON string or of a JSON
// object of messages by language tag (the convention of the Python package
// cognito_code_grant), or a plain message. The period is Cognito's, and a space
// may follow it. ParseTriggerError reports false where the description is not of
// a trigger.
func ParseTriggerError(description string) (TriggerError, bool) {
	trigger, rest, ok := strings.Cut(description, failedWith)
	if !ok || !isTriggerName(trigger) || len(rest) > maxDescription {
		return TriggerError{}, false
	}
	e := TriggerError{Trigger: trigger}
	// E-mail addresses in the text hold an @ too, but base64 does not: if there is
	// a payload, it is behind the last one.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if messages := decodePayload(rest[at+1:]); messages != nil {
			e.Text, e.Messages = plain(rest[:at], maxTriggerText), messages
			return e, true
		}
	}
	rest = strings.TrimSuffix(strings.TrimRight(rest, " "), ".")
	e.Text = plain(rest, maxTriggerText)
	for i := range len(rest) {
		if rest[i] != '@' || isDomain(firstWord(rest[i+1:])) {
			continue
		}
		e.Text = plain(rest[:i], maxTriggerText)
		if message := plain(rest[i+1:], maxTriggerText); message != "" && !isDebris(firstWord(message)) {
			e.Messages = map[string]string{"": message}
		}
		break
	}
	return e, true
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// isDomain tells the rest of an e-mail address from a message that was put behind
// an @ without encoding it.
func isDomain(word string) bool {
	return strings.Contains(strings.TrimRight(word, ".,;:!?"), ".")
}

// isDebris tells a payload that does not decode, having been cut off perhaps,
// from a message that a person can read.
func isDebris(word string) bool {
	return len(word) >= 24 && strings.Trim(word, base64Alphabet) == ""
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

// isTriggerName: PreSignUp, PostConfirmation …
func isTriggerName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// decodePayload is tolerant of what happens to base64 on its way through a query:
// a plus sign that became a space, padding that got lost, the URL-safe alphabet,
// line breaks. It returns nil for what is not a payload.
func decodePayload(s string) map[string]string {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, " .=\r\n"))
	for _, space := range [...]string{"+", ""} {
		raw, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(s, " ", space))
		if err == nil && utf8.Valid(raw) {
			if messages := readMessages(raw); messages != nil {
				return messages
			}
		}
	}
	return nil
}

// readMessages returns nil where there are none.
func readMessages(raw []byte) map[string]string {
	var single string
	if json.Unmarshal(raw, &single) == nil {
		if single = plain(single, maxTriggerText); single == "" {
			return nil
		}
		return map[string]string{"": single}
	}
	members, err := readObject(raw)
	if err != nil || len(members) > maxLanguages {
		return nil
	}
	var messages map[string]string
	for _, tag := range slices.Sorted(maps.Keys(members)) {
		message, err := members.str(tag)
		if message = plain(message, maxTriggerText); err != nil || message == "" || len(tag) > 35 {
			continue
		}
		if messages == nil {
			messages = make(map[string]string)
		}
		messages[normalTag(tag)] = message
	}
	return messages
}

// normalTag takes pt_BR for pt-br, as POSIX writes it.
func normalTag(tag string) string { return strings.ToLower(strings.ReplaceAll(tag, "_", "-")) }

// Message returns the message for a person who reads the languages (BCP 47 tags,
// the best first): that of the first one that there is a message for, exactly or
// by its primary language, else the English one, else the first by tag. Without a
// payload it is Text, which Cognito itself shows to those who sign in on its pages.
func (e TriggerError) Message(languages ...string) string {
	if len(e.Messages) == 0 {
		return e.Text
	}
	if single, ok := e.Messages[""]; ok {
		return single
	}
	tags := slices.Sorted(maps.Keys(e.Messages))
	for _, language := range append(slices.Clip(languages), "en") {
		language = normalTag(language)
		if message, ok := e.Messages[language]; ok {
			return message
		}
		for _, tag := range tags {
			if primary(tag) == primary(language) {
				return e.Messages[tag]
			}
		}
	}
	return e.Messages[tags[0]]
}

func primary(tag string) string {
	language, _, _ := strings.Cut(tag, "-")
	return language
}
