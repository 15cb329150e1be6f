using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace ScoreboardClient
{
    /// <summary>JSON as dictionaries, lists, strings, booleans, null, long for whole numbers and double
    /// for others. netstandard2.0 has no reader of its own, and Unity's fills classes only.</summary>
    internal sealed class Json
    {
        private const int Deepest = 64;

        private readonly string _text;
        private int _at;
        private int _depth;

        private Json(string text) { _text = text; }

        /// <summary>The value. Throws FormatException.</summary>
        internal static object Read(string text)
        {
            var json = new Json(text);
            var value = json.Value();
            json.Space();
            if (json._at < text.Length) throw json.Wrong();
            return value;
        }

        internal static string Write(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        internal static long Integer(object value) => value is double d ? checked((long)d) : (long)value;

        internal static double Number(object value) => value is long whole ? whole : (double)value;

        internal static IReadOnlyList<T> List<T>(object value, Func<object, T> from) =>
            ((List<object>)value).ConvertAll(one => from(one));

        internal static IReadOnlyDictionary<string, T> Map<T>(object value, Func<object, T> from) =>
            ((Dictionary<string, object>)value).ToDictionary(one => one.Key, one => from(one.Value));

        private object Value()
        {
            Space();
            if (_at == _text.Length) throw Wrong();
            switch (_text[_at])
            {
                case '{': return Object();
                case '[': return Array();
                case '"': return Text();
                case 't': return Word("true", true);
                case 'f': return Word("false", false);
                case 'n': return Word("null", null);
                default: return Figure();
            }
        }

        private Dictionary<string, object> Object()
        {
            var members = new Dictionary<string, object>();
            Begin();
            while (!Ends('}', members.Count == 0))
            {
                Space();
                var name = Text();
                Space();
                Take(':');
                members[name] = Value();
            }
            return members;
        }

        private List<object> Array()
        {
            var items = new List<object>();
            Begin();
            while (!Ends(']', items.Count == 0)) items.Add(Value());
            return items;
        }

        private void Begin()
        {
            _at++;
            if (++_depth > Deepest) throw Wrong();
        }

        /// <summary>Whether the object or array is over; else its next part has been reached.</summary>
        private bool Ends(char last, bool first)
        {
            Space();
            if (_at < _text.Length && _text[_at] == last)
            {
                _at++;
                _depth--;
                return true;
            }
            if (!first) Take(',');
            return false;
        }

        private string Text()
        {
            Take('"');
            var text = new StringBuilder();
            while (true)
            {
                if (_at == _text.Length) throw Wrong();
                var c = _text[_at++];
                if (c == '"') return text.ToString();
                text.Append(c == '\\' ? Escaped() : c);
            }
        }

        private char Escaped()
        {
            if (_at == _text.Length) throw Wrong();
            var c = _text[_at++];
            switch (c)
            {
                case 'b': return '\b';
                case 'f': return '\f';
                case 'n': return '\n';
                case 'r': return '\r';
                case 't': return '\t';
                case 'u':
                    if (_at + 4 > _text.Length) throw Wrong();
                    _at += 4;
                    return (char)ushort.Parse(
                        _text.Substring(_at - 4, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                default: return c;
            }
        }

        private object Figure()
        {
            var begin = _at;
            while (_at < _text.Length && "+-.eE0123456789".IndexOf(_text[_at]) >= 0) _at++;
            var figure = _text.Substring(begin, _at - begin);
            if (long.TryParse(figure, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
                return whole;
            return double.Parse(figure, NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        private object Word(string word, object value)
        {
            if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0) throw Wrong();
            _at += word.Length;
            return value;
        }

        private void Take(char c)
        {
            if (_at == _text.Length || _text[_at] != c) throw Wrong();
            _at++;
        }

        private void Space()
        {
            while (_at < _text.Length && " \t\r\n".IndexOf(_text[_at]) >= 0) _at++;
        }

        private FormatException Wrong() => new FormatException($"no JSON at {_at}");

        private static void Write(StringBuilder text, object value)
        {
            if (value == null) text.Append("null");
            else if (value is string s) Quote(text, s);
            else if (value is bool b) text.Append(b ? "true" : "false");
            else if (value is IDictionary<string, object> members) Members(text, members);
            else if (value is IEnumerable items) Items(text, items);
            else if (value is double d) text.Append(d.ToString("R", CultureInfo.InvariantCulture));
            else text.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
        }

        private static void Members(StringBuilder text, IDictionary<string, object> members)
        {
            var before = "{";
            foreach (var member in members)
            {
                text.Append(before);
                Quote(text, member.Key);
                text.Append(':');
                Write(text, member.Value);
                before = ",";
            }
            text.Append(members.Count == 0 ? "{}" : "}");
        }

        private static void Items(StringBuilder text, IEnumerable items)
        {
            text.Append('[');
            var before = "";
            foreach (var item in items)
            {
                text.Append(before);
                Write(text, item);
                before = ",";
            }
            text.Append(']');
        }

        private static void Quote(StringBuilder text, string s)
        {
            text.Append('"');
            foreach (var c in s)
            {
                if (c == '"' || c == '\\') text.Append('\\').Append(c);
                else if (c < ' ' || char.IsSurrogate(c)) text.Append("\\u").Append(((int)c).ToString("x4"));
                else text.Append(c);
            }
            text.Append('"');
        }
    }

    internal static class Members
    {
        /// <summary>The member, null when it is missing.</summary>
        internal static object Maybe(this Dictionary<string, object> members, string name) =>
            members.TryGetValue(name, out var value) ? value : null;
    }
}
