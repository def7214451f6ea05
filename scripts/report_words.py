"""How report.py writes numbers, and the sentences that say what a run shows."""

from report_data import finite, mixture_start, series
from report_statistics import adjusted_p, at_equal_cost, best_fixed, cheaper_and_better, pair


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


def hundredths(value):
    """Per cent without the sign, for columns whose head has it."""
    return f"{100 * value:.1f}"


def points(value):
    text = f"{100 * value:+.1f}"
    return text.replace("-", "−") if text != "-0.0" else "+0.0"


def number(value):
    """Counts whole, measures with three digits; thousands apart."""
    if isinstance(value, int) or abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if value else "0"


def p_text(p):
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_value(p):
    return f"p {p_text(p)}" if p < 0.001 else f"p = {p_text(p)}"


def duration(seconds):
    seconds = round(seconds)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def between(bounds):
    return f"95 % interval {points(bounds[0])} to {points(bounds[1])}"


# --- what a reader has to know first ---

WORDS = (
    ("U", "the probability that an item's present answer is right, as estimated after each step"),
    ("stop", "take the present answer"),
    ("fixed-k", "k retrieves, then one reason, whatever U is; k = 0 is one reason"),
    ("mdp", "the policy that decides: a Markov decision process picks retrieve, reason or stop from U"),
    ("threshold", "retrieve until U reaches one fixed value"),
    ("oracle", "stops at the right moment because it knows the answers: a bound, not a rival"),
    ("tokens", "what the model reads for an item, summed over all steps: the cost"),
    ("Pareto front", "the policies that no other beats in both accuracy and cost"),
    ("McNemar's test", "whether two policies differ, from the items that only one of them gets right"),
    ("Holm's correction", "raises p because many pairs are tested at once; below 0.05 is called significant"),
    ("95 % interval", "where the true value lies in 19 of 20 such tests; it holds 0: no difference shown"),
)
STEPS = {
    "csc": (
        ("item", "a sentence; its answer is right if every character is"),
        ("retrieve", "one pass that corrects from the confusion candidates of each character"),
        ("reason", "one pass of the language model alone, without the candidates"),
    ),
}
ANY_STEPS = (
    ("item", "one question with a known answer"),
    ("retrieve", "one step that fetches evidence and answers again"),
    ("reason", "one step of the model alone that answers again"),
)


def glossary(strategies):
    environments = {document.get("header", {}).get("environment") for _, document in strategies}
    steps = STEPS.get(environments.pop(), ANY_STEPS) if len(environments) == 1 else ANY_STEPS
    return steps + WORDS


# --- findings ---


def answer(document):
    """Is deciding better than a fixed number of steps at equal cost? (verdict, evidence)"""
    named = {policy["name"]: policy for policy in document["policies"]}
    if "mdp" not in named or not best_fixed(document):
        return ("Not asked.", "This comparison does not have both mdp and a fixed-k policy.")
    found = at_equal_cost(document)
    if not found:
        return (
            "Not known.",
            "The file does not have the rows of mdp and of the fixed-k policies over the same items, which a "
            "comparison at equal cost needs.",
        )
    items = f"on the same {found['items']:,} items"
    if "difference" not in found:
        return (
            "No comparison: no fixed policy is as cheap.",
            f"mdp spends {number(found['cost'])} tokens an item; the cheapest fixed policy, {found['cheapest']}, "
            f"spends {number(found['cheapest_cost'])} {items}.",
        )
    low, high = found["difference_ci"]
    rival = found["low"]
    if found["share"]:
        rival = f"{found['low']} with {found['high']} on {percent(found['share'], 0)} of the items"
    evidence = (
        f"{points(found['difference'])} points ({between((low, high))}) {items}: mdp against {rival}, the best that "
        f"fixed policies reach at its {number(found['cost'])} tokens an item."
    )
    if low > 0:
        return ("Yes: deciding is more often right.", evidence)
    return ("No: deciding is less often right." if high < 0 else "No difference shown.", evidence)


def strategy_finding(document):
    """Whether the MDP differs from the best fixed-k, and what each costs, in two or three sentences."""
    named = {policy["name"]: policy for policy in document["policies"]}
    mdp, fixed = named.get("mdp"), best_fixed(document)
    if not mdp or not fixed:
        best = min(document["policies"], key=lambda policy: (-policy["accuracy"], policy["cost_tokens"]))
        return (
            f"Of {len(named)} policies {best['name']} is right most often: {percent(best['accuracy'])} of the items at "
            f"{number(best['cost_tokens'])} tokens an item."
        )
    of = f" of {mdp['items']:,} items" if finite(mdp.get("items")) else " of the items"
    text = (
        f"The MDP is right on {percent(mdp['accuracy'])}{of} at {number(mdp['cost_tokens'])} tokens an item; the best "
        f"fixed policy, {fixed['name']}, on {percent(fixed['accuracy'])} at {number(fixed['cost_tokens'])} tokens. "
    )
    found = pair(document, "mdp", fixed["name"])
    p = adjusted_p(found) if found else None
    if p is None or not finite(found.get("accuracy_difference")):
        return text + "The two were not compared item by item, so nothing is said about significance."
    bounds = found.get("difference_ci")
    evidence = (
        f"({points(found['accuracy_difference'])} points, {between(bounds) + '; ' if bounds else ''}exact McNemar, "
        f"{p_value(p)}{' after Holm' if finite(found.get('p_holm')) else ''})"
    )
    if p >= 0.05:
        text += f"The difference in accuracy is not significant {evidence}"
    else:
        text += f"The MDP is significantly {'more' if found['accuracy_difference'] > 0 else 'less'} accurate {evidence}"
    text += cost_clause(mdp, fixed) + f" {fixed['name']} was picked as the best on these very items, which favours it."
    for better in cheaper_and_better(document, named):
        text += (
            f" {better['name']} beats the MDP in both: {percent(better['accuracy'])} at "
            f"{number(better['cost_tokens'])} tokens, significant after Holm."
        )
    oracle = named.get("oracle")
    if oracle:
        text += (
            f" Knowing the answers, stopping at the right moment would reach {percent(oracle['accuracy'])} at "
            f"{number(oracle['cost_tokens'])} tokens."
        )
    return text


def cost_clause(mdp, fixed):
    if not fixed["cost_tokens"]:
        return "."
    ratio = mdp["cost_tokens"] / fixed["cost_tokens"]
    if ratio == 0:
        return f". It never takes a step: it costs nothing, {fixed['name']} does."
    side = "less than" if ratio < 0.995 else "more than" if ratio > 1.005 else "the same as"
    return f", and it costs {ratio:.2f} times as much: {side} {fixed['name']}."


def training_finding(training, evaluations, scores):
    """What came out of training, in one or two sentences; "" if nothing is known."""
    text = ""
    steps, losses = series(training, "loss")
    if losses:
        text += f"After {steps[-1]:,} steps the training loss is {losses[-1]:.3g} (it began at {losses[0]:.3g}). "
        start = mixture_start(training)
        text += f"From step {start:,} on it has the auxiliary loss in it. " if start else ""
    f1_steps, f1 = series(evaluations, "f1")
    if f1:
        best = max(range(len(f1)), key=lambda i: f1[i])
        text += f"On the validation set the best sentence-level F1 is {percent(f1[best])}, at step {f1_steps[best]:,}. "
    for name, score in scores:
        found = {key: percent(value) if finite(value) else "unknown" for key, value in score["correction"].items()}
        text += f"On {name}, {score['sentences']:,} sentences: correction F1 {found.get('f1', 'unknown')}"
        text += f" (precision {found.get('precision', 'unknown')}, recall {found.get('recall', 'unknown')})"
        if "fpr" in found:
            text += f"; of the sentences without errors {found['fpr']} were changed"
        text += ". "
    return text.strip()
