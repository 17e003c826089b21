package cognito

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TriggerError is what one of the pool's Lambda triggers had to say when it
// refused a sign-in. All of it is plain text of strangers: escape it.
type TriggerError struct {
	Trigger string // such as PreSignUp
	// Text is the trigger's own text, without a payload.
	Text string
	// Messages are those of a payload, by language tag; "" is the one of a
	// payload that has just one.
	Messages map[string]string
}

const (
	failedWith     = " failed with error "
	maxTriggerText = 1 << 10
	maxLanguages   = 64
)

// ParseTriggerError reads an error_description of the form
//
//	PreSignUp failed with error TEXT@PAYLOAD.
//
// where PAYLOAD, which may be missing, is base64 of a JSON string, or of a JSON
// object of messages by language tag (the convention of the Python package
// cognito_code_grant), or a plain message. Cognito appends a period, and sometimes a space. It
// reports false where the description is not of a trigger.
func ParseTriggerError(description string) (TriggerError, bool) {
	trigger, rest, ok := strings.Cut(description, failedWith)
	if !ok || trigger == "" || len(trigger) > 64 || len(rest) > maxDescription || !isWord(trigger) {
		return TriggerError{}, false
	}
	e := TriggerError{Trigger: trigger}
	// An e-mail address in the text holds an @ too: the payload is behind the
	// first one after which something decodes.
	for i := range len(rest) {
		if rest[i] != '@' {
			continue
		}
		if messages, ok := decodePayload(rest[i+1:]); ok {
			e.Messages, e.Text = messages, plain(rest[:i])
			return e, true
		}
	}
	rest = strings.TrimSuffix(strings.TrimRight(rest, " "), ".")
	for i := range len(rest) {
		if rest[i] == '@' && !looksLikeDomain(rest[i+1:]) {
			e.Messages, e.Text = map[string]string{"": plain(rest[i+1:])}, plain(rest[:i])
			if e.Messages[""] != "" {
				return e, true
			}
		}
	}
	e.Messages, e.Text = nil, plain(rest)
	return e, true
}

// looksLikeDomain tells the rest of an e-mail address from a message that was put
// behind an @ without encoding it.
func looksLikeDomain(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	return strings.Contains(strings.TrimRight(word, ".,;:!?"), ".")
}

// isWord: PreSignUp, PostConfirmation …
func isWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
	}) < 0
}

// decodePayload is tolerant of what happens to base64 on its way through a query:
// a plus sign that became a space, padding that got lost, the URL-safe alphabet.
func decodePayload(s string) (map[string]string, bool) {
	s = strings.TrimRight(s, " .=")
	s = strings.NewReplacer(" ", "+", "-", "+", "_", "/").Replace(s)
	raw, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(raw) == 0 || !utf8.Valid(raw) {
		return nil, false
	}
	var single string
	if json.Unmarshal(raw, &single) == nil && single != "" {
		return map[string]string{"": plain(single)}, true
	}
	var byLanguage map[string]string
	if json.Unmarshal(raw, &byLanguage) != nil || len(byLanguage) == 0 || len(byLanguage) > maxLanguages {
		return nil, false
	}
	messages := make(map[string]string, len(byLanguage))
	for tag, message := range byLanguage {
		if message = plain(message); message != "" && len(tag) <= 35 {
			messages[strings.ToLower(strings.ReplaceAll(tag, "_", "-"))] = message
		}
	}
	return messages, len(messages) > 0
}

// plain bounds a text and takes out what is not text.
func plain(s string) string { return strings.TrimSpace(bounded(s, maxTriggerText)) }

// Message returns the message in the first of the languages (BCP 47 tags) that
// there is one for, exactly or by its first part, else in English, else in the
// first language by name. Without a payload it is Text, which Cognito itself
// would show to a person who signs in on its own pages.
func (e TriggerError) Message(languages ...string) string {
	if single, ok := e.Messages[""]; ok {
		return single
	}
	tags := slices.Sorted(maps.Keys(e.Messages))
	for _, language := range append(slices.Clone(languages), "en") {
		language = strings.ToLower(language)
		if message, ok := e.Messages[language]; ok {
			return message
		}
		base, _, _ := strings.Cut(language, "-")
		for _, tag := range tags {
			if tagBase, _, _ := strings.Cut(tag, "-"); tagBase == base {
				return e.Messages[tag]
			}
		}
	}
	if len(tags) > 0 {
		return e.Messages[tags[0]]
	}
	return e.Text
}
