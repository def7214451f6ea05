#pragma once

#include <string>
#include <vector>

namespace relmpi {

// The steps of BERT's basic tokenizer on text, each as Hugging Face's Python code does it.

// Drops U+0000, U+FFFD and everything of category C (control, format, private, unassigned) but tab and line
// ends; turns these and every character of category Zs into a space.
std::u32string clean_text(const std::u32string& text);

// A space on both sides of each character of the CJK blocks.
std::u32string space_out_chinese(const std::u32string& text);

// Words at white space as Python's str.split() knows it after clean_text: Zs, U+2028 and U+2029.
std::vector<std::u32string> split_at_space(const std::u32string& text);

// Runs of other characters, and each punctuation character (ASCII symbols, category P) alone.
std::vector<std::u32string> split_at_punctuation(const std::u32string& word);

// Full lower case of each character on its own ("İ" gives two characters; no final sigma).
std::u32string lower_each(const std::u32string& text);

// NFD without characters of category Mn.
std::u32string strip_accents(const std::u32string& text);

// NFC.
std::u32string compose(const std::u32string& text);

}  // namespace relmpi
