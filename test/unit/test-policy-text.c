/* Edits by command leave what a person has written as it is. */
#include "cli/policy-text.h"

#include "unit.h"

static const char text[] = "# mine\n"
			   "allow a.b   # why\n"
			   "\n"
			   "deny a.b:22\r\n"
			   "allow A.B:8080 tcp\n"
			   "allow *.a.b\n"
			   "no rule at all\n"
			   "allow 10.0.0.0/8:22 tcp\n"
			   "allow-all";

static struct policy_rule read_rule(const char *line)
{
	struct policy_rule rule;

	assert_int_equal(rule_parse(slice_text(line), &rule, NULL), 0);
	return rule;
}

static void add(const char *before, const char *line, int expected, const char *after)
{
	struct policy_rule rule = read_rule(line);
	auto_buf struct buf buf = {0};

	assert_int_equal(buf_printf(&buf, "%s", before), 0);
	assert_int_equal(policy_text_add(&buf, &rule), expected);
	assert_string_equal(buf_text(&buf), after);
	rule_done(&rule);
}

static void test_add(void **state)
{
	(void)state;
	add("", "allow a.b", 0, "allow a.b\n");
	add("# x\n", "allow A.b", 0, "# x\nallow a.b\n");
	add("deny c", "allow a.b", 0, "deny c\nallow a.b\n");
	add("  allow  A.B. # y", "allow a.b", 1, "  allow  A.B. # y");
	add("allow a.b:80\n", "allow a.b", 0, "allow a.b:80\nallow a.b\n");
	add("allow a.b tcp tcp\n", "allow a.b", 0, "allow a.b tcp tcp\nallow a.b\n");
}

static void removes(const char *host, int expected, const char *expected_removed)
{
	struct policy_rule rule = read_rule(host);
	auto_buf struct buf left = {0}, removed = {0};

	assert_int_equal(policy_text_remove(slice_text(text), &rule, &left, &removed), expected);
	assert_string_equal(buf_text(&removed), expected_removed);
	if (expected == 0)
		assert_string_equal(buf_text(&left), text);
	rule_done(&rule);
}

static void test_remove(void **state)
{
	(void)state;
	removes("deny a.b", 3, "allow a.b\ndeny a.b:22\nallow a.b:8080 tcp\n");
	removes("deny a.b:22", 1, "deny a.b:22\n");
	removes("deny a.b:80", 0, "");
	removes("deny *.a.b", 1, "allow *.a.b\n");
	removes("deny **.a.b", 0, "");
	removes("deny 10.0.0.0/8", 1, "allow 10.0.0.0/8:22 tcp\n");
	removes("deny 10.0.0.0/9", 0, "");
	removes("deny **", 1, "allow-all\n");
}

static void test_what_stays(void **state)
{
	struct policy_rule rule = read_rule("deny a.b");
	auto_buf struct buf left = {0}, removed = {0};

	(void)state;
	assert_int_equal(policy_text_remove(slice_text(text), &rule, &left, &removed), 3);
	assert_string_equal(buf_text(&left),
			    "# mine\n\nallow *.a.b\nno rule at all\nallow 10.0.0.0/8:22 tcp\nallow-all");
	rule_done(&rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
