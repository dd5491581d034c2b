# A page as Doxygen is to see it.
#
# - GitHub's formulas, $...$ and blocks of `math`, become \f$...\f$ and \f[...\f].
# - Pages and headings get labels, as those that GitHub makes by itself, after the page's name, are
#   not made by every Doxygen: mathematics, mathematics_random-signs. Links go to these.
# - A link to a file that is no page is its text. (Doxygen makes links of headers' names.)
# - Code with an apostrophe is between two backticks, as one and an apostrophe are quotation marks.

# "docs/c.md" is called c; a README.md by its folder, and the top one is Doxygen's main page.
function page_name(path,    parts, count, name) {
  count = split(path, parts, "/")
  name = parts[count]
  sub(/\.md$/, "", name)
  if (name != "README") return tolower(name)
  if (count == 1 || parts[count - 1] == "..") return "mainpage"
  return parts[count - 1]
}

# Of headings with the same text on a page the second one is ...-1, as on GitHub.
function slug(heading) {
  heading = tolower(heading)
  gsub(/[^a-z0-9 _-]/, "", heading)
  gsub(/ /, "-", heading)
  return heading (times[heading]++ ? "-" times[heading] - 1 : "")
}

# The Markdown link "[text](target)" as Doxygen is to have it.
function converted(link,    text, target, anchor) {
  text = link
  sub(/^\[/, "", text)
  sub(/\]\([^()]*\)$/, "", text)
  target = substr(link, length(text) + 4, length(link) - length(text) - 4)
  if (target ~ /^https?:/ || target ~ /\.svg$/) return link
  if (target ~ /^#/) target = page ".md" target
  if (target !~ /\.md(#|$)/) return text
  anchor = target
  gsub(/`/, "", text)  # Doxygen takes the text of such links as it is.
  sub(/^[^#]*#?/, "", anchor)
  sub(/#.*$/, "", target)
  return "[" text "](#" page_name(target) (anchor != "" ? "_" anchor : "") ")"
}

function with_links(line,    done) {
  done = ""
  while (match(line, /\[([^][]|\[[^][]*\])*\]\([^() ]+\)/)) {
    done = done substr(line, 1, RSTART - 1) converted(substr(line, RSTART, RLENGTH))
    line = substr(line, RSTART + RLENGTH)
  }
  return done line
}

# Of a line that is split at "`" every other part is code; code may go on in the next line of a
# paragraph, which in_span tells.
function with_formulas(line,    parts, count, i, code, result) {
  if (line == "") in_span = 0
  count = split(line, parts, "`")
  result = ""
  for (i = 1; i <= count; ++i) {
    if ((i + in_span) % 2 == 1) gsub(/\$/, "\\f$", parts[i])
    result = result parts[i]
    code = (i + in_span) % 2 == 0 ? i : i + 1
    if (i < count) result = result (code > 1 && code < count && parts[code] ~ /'/ ? "``" : "`")
  }
  if (count > 1) in_span = (in_span + count - 1) % 2
  return result
}

FNR == 1 {
  page = page_name(FILENAME)
  # The file is named with its whole path, so the top README.md by the folder of the clone.
  if (FILENAME ~ /README\.md$/ && $0 == "# decorr") page = "mainpage"
}
/^ *```math$/ { in_formula = 1; print "\\f["; next }
in_formula && /^ *```$/ { in_formula = 0; print "\\f]"; next }
in_formula { print; next }
/^ *```/ { in_code = !in_code; print; next }
in_code { print; next }
/^# / { print with_formulas($0) " {#" page "}"; next }
/^##+ / {
  label = $0
  sub(/^#+ /, "", label)
  print with_formulas($0) " {#" page "_" slug(label) "}"
  next
}
{ print with_formulas(with_links($0)) }
