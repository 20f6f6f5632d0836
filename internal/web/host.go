package web

import (
	"net/netip"
	"slices"
	"strings"
)

// answersFor tells whether a request with this Host is meant for this server. Another
// site's page in a browser can have its own name lead to an address of this machine, and
// read what is answered there as its own: such requests have that name. Addresses can't be
// made to lead elsewhere, and browsers look nobody up for localhost. A program that sends
// no Host at all is no browser.
func (h *Handler) answersFor(host string) bool {
	if !h.Local && len(h.Hosts) == 0 {
		return true
	}
	name := hostName(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return slices.ContainsFunc(h.Hosts, func(s string) bool { return hostName(s) == name })
}

// hostName returns a Host without its port, as names are compared.
func hostName(host string) string {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(rest, "]")
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
