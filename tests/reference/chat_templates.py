"""Templates and conversations for chat_parity.py: our own, some of them after the conventions that model families
publish (which marks stand around a turn, where tools and reasoning go)."""

TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells the weather of a <place> & time.",
          "parameters": {"type": "object", "properties": {"place": {"type": "string", "enum": ["Oslo", "São Paulo"]},
                         "days": {"type": "integer", "default": 1.5}}, "required": ["place"]}}}]

CONVERSATIONS = [
    {"messages": [{"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "system", "content": "  Be brief.\nPlease. "}, {"role": "user", "content": "1+1? <b> 你好 😀"},
                  {"role": "assistant", "content": "<think>\nhm\n</think>\n\nIt is 2. "}, {"role": "user", "content": "2+2?\n"}]},
    {"messages": [{"role": "user", "content": "Weather in Oslo?"}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": "Weather?"},
                  {"role": "assistant", "content": "", "reasoning_content": "\nAsk it.\n", "tool_calls": [
                      {"type": "function", "id": "a12345678", "function": {"name": "weather", "arguments": {"place": "Oslo", "days": 2}}}]},
                  {"role": "tool", "content": "{\"sun\": true}", "tool_call_id": "a12345678", "name": "weather"},
                  {"role": "assistant", "content": "Sun."}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "why"},
                  {"role": "user", "content": "c"}, {"role": "assistant", "content": "The colour is"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Parts"}]}]},
    {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]},
    {"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "q"}],
     "chat_template_kwargs": {"enable_thinking": False, "date_string": "1 Jan 2025"}},
]

# One construct or a few each; every message is at hand.
CONSTRUCTS = {
    "text": "a\n{# comment #}\n  {# indented #}\nb\n",
    "spaces": "  {% if true %}\n x \n  {%- endif %}\n y{{- 1 -}}   z\n\n{%+ if true %}\nw{% endif +%}\nend\n\n",
    "line starts": "a {% set x = 1 %}\n  {% set y = 2 %}  \n{{ x }}  {% if x %}\n  b{% endif %}\n\n  {#- c -#}  d",
    "crlf": "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\nc\r\n",
    "raw": "{% raw %}{{ x }} {% if %}{% endraw %}|  {%- raw -%}  {# #}  {%- endraw -%}  |\n  {% raw %}\n a\n  {% endraw %}\nb",
    "numbers": "{{ 1 }} {{ -1 }} {{ +2 }} {{ 1.5 }} {{ 2.0 }} {{ 1e3 }} {{ 1e16 }} {{ 1.5e-7 }} {{ 0.1 + 0.2 }} {{ 100000000000000000.0 }} {{ 7 // 2 }}"
               " {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** 3 ** 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ -2 ** 2 }}",
    "texts": r"""{{ 'a\n\t\\\'\"\x41\u00e9\U0001F600\q' }} {{ "b'c" 'd' }} {{ '%' }} {{ 'a' ~ 1 ~ none ~ true ~ 1.0 }} {{ 'ab' * 3 }} {{ 2 * 'x' }}""",
    "lists": "{{ [1, 'a', None, true, 1.5, [2], (3,), (4, 5), {'k': 'v\"\\''}] }} {{ [1] + [2] }} {{ () }} {{ (1, 2)[0] }} {{ {} }} {{ {'a': {'b': 1}}.a.b }} {{ [0] * 2 }}",
    "reprs": "{{ ['é', '\\n', '\\x00', '\\u200b', 'it\\'s', '\"', '\\'\"', '😀', '\\xa0'] }}",
    "logic": "{{ 1 and 2 }} {{ 0 or 'x' }} {{ not 1 }} {{ not not '' }} {{ 1 < 2 < 3 }} {{ 1 < 3 > 2 == 2 }} {{ 'a' in 'abc' }} {{ 1 in [1] }} {{ 'k' in {'k': 1} }}"
             " {{ 3 not in (1, 2) }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == false }} {{ [1, 2] == [1, 2.0] }} {{ (1,) == [1] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}"
             " {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 if false }}|{{ 1 if false else 2 if false else 3 }} {{ undefined_name == other_name }} {{ nothing.x is defined if nothing }}",
    "undefined": "{{ nothing }}|{{ nothing is defined }}|{{ nothing or 'x' }}|{{ nothing | default('d') }}|{{ nothing|length }}|{% for x in nothing %}a{% else %}none{% endfor %}"
                 "|{{ messages[0].nothing }}|{{ messages[99] }}|{{ 'a' in nothing }}|{{ nothing ~ 'x' }}|{{ [nothing] }}|{{ none.x }}|{{ nothing | upper }}|{{ nothing|list }}|{{ nothing is iterable }} {{ nothing is sequence }} {{ nothing is none }}",
    "undefined attribute": "{{ nothing.x }}",
    "undefined sum": "{{ nothing + 'a' }}",
    "undefined call": "{{ nothing() }}",
    "none in sum": "{{ 'a' + none }}",
    "text in whole": "{{ 'a' + 1 }}",
    "slices": "{{ 'héllo'[1:3] }} {{ 'hello'[::-1] }} {{ [1,2,3,4][-2:] }} {{ [1,2,3,4][::2] }} {{ [1,2,3,4][3:0:-1] }} {{ [1,2,3][:-1] }} {{ (1,2,3)[1:] }} {{ 'abc'[5:] }} {{ 'abc'[-9:2] }} {{ 'abc'[-1] }} {{ 'abc'[9] }}"
              " {{ 'abcdef'[-1:-4:-2] }} {{ [1,2,3][10:0:-1] }} {{ messages[::-1][0].role }} {{ messages[1:] | length }}",
    "strips": "[{{ '  a b\\n\\u3000'.strip() }}] [{{ 'xxaxx'.strip('x') }}] [{{ '\\n a \\n'.lstrip('\\n') }}] [{{ 'a</s>'.rstrip('</s>') }}] [{{ ' a '.rstrip() }}] [{{ ' a ' | trim }}] [{{ 'aba' | trim('a') }}] [{{ 5 | trim }}]",
    "splits": "{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c d'.split(' ', 2) }} {{ ' a  b  c '.split(none, 1) }} {{ 'a-b-c'.rsplit('-', 1) }} {{ 'x</think>y</think>z'.split('</think>')[-1] }} {{ ''.split() }} {{ ''.split(',') }} {{ ' a  b c '.rsplit(none, 1) }} {{ 'a\\nb\\r\\nc'.splitlines() }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'a b'.split(maxsplit=1) }}",
    "case": "{{ 'straße ǆ İ'.upper() }} {{ 'ÀÉ ΟΔΟΣ'.lower() }} {{ \"they're bill's ǆ x1y\".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'foo-bar (baz) it\\'s' | title }} {{ 'aBC' | capitalize }} {{ 'a' | upper }} {{ 'ABC' | lower }} {{ ''.capitalize() }}",
    "text methods": "{{ 'abc'.startswith('a') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXbX'.replace('X', '--') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'abc'.replace('', '-') }} {{ 'a' | replace('a', 'b') }} {{ 'aaa' | replace('a', 'x', 1) }}"
                    " {{ ', '.join(['a', 'b']) }} {{ 'héy'.find('y') }} {{ 'abc'.find('z') }} {{ 'abab'.rfind('a') }} {{ 'banana'.count('an') }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ '12'.isdigit() }} {{ ' '.isspace() }} {{ ''.join([]) }}",
    "json": "{{ {'a': [1, 2.0, none, true], 'é<>&\\'': '\"\\\\\\n\\x01/\\u2028\\x7f'} | tojson }} {{ [] | tojson }} {{ {} | tojson(indent=2) }} {{ {'b': {'c': [1, {}], 'd': []}, 'a': 1} | tojson(indent=2) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ {'a': 1} | tojson(indent='--') }} {{ 1e22 | tojson }} {{ 'x' | tojson }} {{ {1: 2, none: 3} | tojson }} {{ (1, 2) | tojson }} {{ messages | tojson(indent=4) }}",
    "json of nothing": "{{ nothing | tojson }}",
    "loops": "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.cycle('a', 'b') }}{{ loop.previtem.role }}{{ loop.nextitem.role if loop.nextitem is defined }}{{ loop.depth }}\n{% endfor %}",
    "loop scopes": "{% set x = 0 %}{% for i in range(3) %}{{ x }}{% set x = i + 1 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set y = 5 %}{% endif %}{{ y }}{% for i in [] %}{% else %}{% set y = 6 %}{{ y }}{% endfor %}{{ y }}",
    "loop filters": "{% for i in range(10) if i % 2 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% endfor %}{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}{% for c in 'héy' %}{{ c }}.{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}{% for i in range(2, 4) %}{{ i }}{% else %}no{% endfor %}",
    "loop control": "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% for j in 'ab' %}{% if j == 'b' %}{% break %}{% endif %}{{ j }}{{ loop.index }}{% endfor %}{% endfor %}",
    "namespace": "{% set ns = namespace(a=1, found=false) %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{% set ns.last = m.role %}{% endfor %}{{ ns.a }}{{ ns.found }}{{ ns.last }}{{ ns.none_such is defined }}",
    "unpacking": "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}",
    "set blocks": "{% set x %}a{{ 1 }}{% endset %}{{ x }}{% set y | upper %}abc{% endset %}{{ y }}{% set z | replace('a', 'b') | upper %}a{% endset %}{{ z }}{% filter upper | replace('B', '-') %}abc{{ x }}{% endfilter %}{% with p = 1, q = 2 %}{{ p + q }}{% endwith %}{{ p }}",
    "macros": "{% macro f(a, b=2, c='x') %}[{{ a }}{{ b }}{{ c }}{{ d }}]{% endmacro %}{{ f(1) }}{{ f(1, c='y') }}{{ f() }}{{ f(b=3, a=4) }}{% set d = 7 %}{{ f(0) }}{% macro fact(n) %}{{ 1 if n < 2 else n * (fact(n - 1) | int) }}{% endmacro %}{{ fact(5) }}{% macro g(x, y=x) %}{{ y }}{% endmacro %}{{ g(3) }}{{ f(1) | length }}{{ f is callable }}",
    "macro too many": "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
    "tests": "{% for x in [1, 1.5, 'a', true, none, [1], {'a': 1}, (1,)] %}{{ x is string }}{{ x is number }}{{ x is integer }}{{ x is float }}{{ x is boolean }}{{ x is none }}{{ x is mapping }}{{ x is sequence }}{{ x is iterable }}{{ x is true }}{{ x is not none }} {% endfor %}{{ 3 is odd }}{{ 4 is even }}{{ 6 is divisibleby 3 }}{{ 6 is divisibleby(4) }}{{ 1 is eq 1 }}{{ 1 is lt(2) }}{{ 'a' is in 'abc' }}{{ 1 is in [2] }}{{ none is sameas none }}{{ 'abc' is lower }}{{ 'ABC' is upper }}{{ range(2) is sequence }}{{ false is false }}{{ 1 is true }}",
    "list filters": "{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [1, 2] | sort(reverse=true) }} {{ messages | map(attribute='role') | list }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | join(',') }}"
                    " {{ ['a', 'A', 'b'] | unique | list }} {{ [1, 2, 3] | reverse | list }} {{ 'abc' | reverse }} {{ [1, 2] | first }} {{ [1, 2] | last }} {{ [] | first }} {{ 'abc' | last }} {{ ['a', 1, none] | join('-') }} {{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }} {{ {'a': 1} | items | list }} {{ ['a', 'b'] | map('upper') | list }} {{ [0, 1, 2] | select | list }} {{ [0, 1, 2] | select('odd') | list }} {{ [0, 1] | reject | list }} {{ [1, 2] | sum }} {{ [1, 5, 3] | max }} {{ ['b', 'a'] | min }} {{ 'abc' | list }} {{ {'a': 1} | list }} {{ [{'a': {'b': 3}}] | map(attribute='a.b') | list }} {{ [{}] | map(attribute='a', default='d') | list }} {{ messages | selectattr('tool_calls') | list }} {{ [[3, 1], [2, 0]] | sort(attribute=1) }} {{ messages | map(attribute='content') | map('length') | sum }}",
    "number filters": "{{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '3.9' | int }} {{ -3.9 | int }} {{ '1.5' | float }} {{ 2 | float }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 1.255 | round(2) }} {{ 1.21 | round(1, 'ceil') }} {{ 1.29 | round(1, 'floor') }} {{ 7 | round }} {{ -3 | abs }} {{ (-3) | abs }} {{ (-2.5) | abs }} {{ true | int }} {{ ' 5 ' | int }}",
    "text filters": "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|{{ 'a\\n\\nb' | indent(2, blank=true) }}|{{ 'a\\nb' | indent('> ') }}|{{ 5 | string ~ 'x' }}|{{ '<b>' | safe }}|{{ none | default('d') }}|{{ none | default('d', true) }}|{{ '' | d('e', boolean=true) }}|{{ 'abc' | length }}|{{ {'a': 1} | count }}",
    "dictionaries": "{% set d = {'items': 5, 'a': 1} %}{{ d['items'] }}{{ d.get('a') }}{{ d.get('z') }}{{ d.get('z', 9) }}{{ d.keys() | list }}{{ d.values() | list }}{{ 'a' in d.keys() }}{{ d.items() | length }}{{ d.copy() }}{{ dict(a=1) }}{{ {}['items'] is defined }}{{ {}.update is defined }}{{ {'a': 1, 'a': 2} }}{{ {1: 2}[1.0] }}",
    "changes a list": "{% set l = [1] %}{{ l.append(2) }}",
    "raises": "{% if messages[0].role == 'user' %}{{ raise_exception('no user first') }}{% endif %}ok",
    "dates": "{{ strftime_now('%d %b %Y %A %j %%') }}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% set x = 1 %}{{ eos_token }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}{{ x }}",
    "special tokens": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ additional_special_tokens }}{{ tools }}{{ documents }}{{ tools is defined }}{{ add_generation_prompt }}",
    "big loop": "{% for i in range(10 ** 9) %}x{% endfor %}",
    "syntax": "{% if %}",
    "unknown block": "{% do x %}",
    "not closed": "{% for x in messages %}a",
    "chained": "{{ messages[0]['content'][0] | upper ~ '!' }} {{ (messages | first).role.upper()[1:] }} {{ messages[-1].content.split('\\n')[0] }} {{ -messages|length }} {{ 'a' if messages and messages[0].role == 'user' else 'b' }}",
}

# What is not built is refused, with its place; and what would never end.
REFUSED = {
    "recursive": "{% for x in messages recursive %}{{ loop(x) }}{% endfor %}",
    "call": "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
    "include": "{% include 'x' %}",
    "escape": "{{ '<' | escape }}",
    "safe inside": "{{ ('<' | safe) + '<' }}",
    "format": "{{ '{}'.format(1) }}",
    "percent": "{{ '%s' % 1 }}",
    "big number": "{{ 9223372036854775807 + 1 }}",
    "generator": "{{ messages | map(attribute='role') }}",
    "dunder": "{{ ''.__class__ }}",
    "steps": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "output": "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "repeat": "{{ 'x' * 10 ** 12 }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "depth": "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
    "brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
}

CHATML = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" \
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

FAMILIES = {
    "chatml": CHATML,
    "chatml with bos": "{{ bos_token }}" + CHATML,
    "qwen2": "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}"
             "{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "qwen2.5": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helper.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helper.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for call in message.tool_calls %}
            {%- if call.function is defined %}
                {%- set call = call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- call.name }}
            {{- '", "arguments": ' }}
            {{- call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "qwen3": """{%- set ns = namespace(more=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.more and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.more = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or (not loop.last and reasoning)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "qwen3 coder": """{% macro extras(dictionary, known) %}
{%- if dictionary is mapping %}
    {%- for key in dictionary if key not in known %}
        {%- if dictionary[key] is mapping or (dictionary[key] is sequence and dictionary[key] is not string) %}
            {{- '\\n<' ~ key ~ '>' ~ (dictionary[key] | tojson | safe) ~ '</' ~ key ~ '>' if false else '\\n<' ~ key ~ '>' ~ (dictionary[key] | tojson) ~ '</' ~ key ~ '>' }}
        {%- else %}
            {{- '\\n<' ~ key ~ '>' ~ (dictionary[key] | string) ~ '</' ~ key ~ '>' }}
        {%- endif %}
    {%- endfor %}
{%- endif %}
{% endmacro %}
{%- if tools is iterable and tools | length > 0 %}
<tools>
    {%- for tool in tools %}
        {%- set tool = tool.function if tool.function is defined else tool %}
        {{- '\\n<function>\\n<name>' ~ tool.name ~ '</name>' }}
        {%- for name, fields in tool.parameters.properties | items %}
            {{- '\\n<parameter>\\n<name>' ~ name ~ '</name>' }}
            {{- extras(fields, ['type']) }}
            {{- '\\n</parameter>' }}
        {%- endfor %}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
<|im_start|>{{ message.role }}
{{ message.content | trim }}
        {%- for call in message.tool_calls or [] %}
            {%- for name, value in call.function.arguments.items() %}
                {{- '\\n<parameter=' ~ name ~ '>\\n' }}
                {%- set value = value | tojson if value is mapping or value is not string else value %}
                {{- value ~ '\\n</parameter>' }}
            {%- endfor %}
        {%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "llama 3": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One call at a time!") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "r1": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system='') %}"
          "{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system}}"
          "{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<User>' + message['content']}}{%- endif %}"
          "{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<Assistant>' + content + eos_token}}{%- endif %}{%- endfor -%}"
          "{% if add_generation_prompt and not ns.is_tool %}{{'<Assistant><think>\\n'}}{% endif %}",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("Roles must alternate") }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
            {%- endfor %}
            {{- "][/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
""",
    "gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
             "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}",
    "phi": "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
    "thinking on by default": CHATML.replace("assistant\\n' }}{% endif %}", "assistant\\n' }}{% if enable_thinking | default(true) %}{{ '<think>\\n' }}{% endif %}{% endif %}"),
}
