//! Gives the operators of templates Python's behaviour. In: a template's source. Out: the same
//! source in which calls of our functions replace the operators `+`, `~`, `*` and `%`.
//!
//! The template engine implements these operators differently from Python: `%` does not format
//! strings, the sum of two lists cannot be printed, and `*` repeats without a limit.

use minijinja::Error;
use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Macro, Stmt};
use minijinja::machinery::{Span, Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;

/// Replaces the operators of a template by calls of [`operations`](super::operations).
pub(super) fn without_operators(
    source: &str,
    name: &str,
    syntax: &SyntaxConfig,
) -> Result<String, Error> {
    let template = parse(source, name, syntax.clone())?;
    let mut signs = Vec::new();
    for token in tokenize(source, false, syntax.clone()) {
        let (token, span) = token?;
        if matches!(token, Token::Mul | Token::Mod | Token::Plus | Token::Tilde) {
            signs.push(span);
        }
    }
    let mut edits = Edits {
        source,
        signs,
        all: Vec::new(),
    };
    edits.statement(&template);
    Ok(edits.applied())
}

/// One replacement: the byte range `start..end` of the source becomes `text`.
struct Edit {
    start: usize,
    end: usize,
    text: &'static str,
}

struct Edits<'a> {
    source: &'a str,
    /// The positions of the four operators in the source, in order.
    signs: Vec<Span>,
    all: Vec<Edit>,
}

impl Edits<'_> {
    fn applied(mut self) -> String {
        // the sort is stable. Where two calls begin at the same byte, the outer one was added first and
        // stays first. An edit that ends where a sign begins is applied before the edit of the sign
        self.all.sort_by_key(|edit| (edit.start, edit.end));
        let mut out = String::with_capacity(self.source.len() + 8 * self.all.len());
        let mut at = 0;
        for edit in self.all {
            out += &self.source[at..edit.start];
            out += edit.text;
            at = edit.end;
        }
        out + &self.source[at..]
    }

    fn put(&mut self, start: u32, end: u32, text: &'static str) {
        let (start, end) = (start as usize, end as usize);
        self.all.push(Edit { start, end, text });
    }

    fn statements(&mut self, all: &[Stmt<'_>]) {
        for statement in all {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(it) => self.statements(&it.children),
            Stmt::EmitExpr(it) => self.expression(&it.expr),
            Stmt::ForLoop(it) => {
                self.expression(&it.iter);
                self.optional(it.filter_expr.as_ref());
                self.statements(&it.body);
                self.statements(&it.else_body);
            }
            Stmt::IfCond(it) => {
                self.expression(&it.expr);
                self.statements(&it.true_body);
                self.statements(&it.false_body);
            }
            Stmt::WithBlock(it) => {
                for (_, value) in &it.assignments {
                    self.expression(value);
                }
                self.statements(&it.body);
            }
            Stmt::Set(it) => self.expression(&it.expr),
            Stmt::SetBlock(it) => {
                self.optional(it.filter.as_ref());
                self.statements(&it.body);
            }
            Stmt::AutoEscape(it) => {
                self.expression(&it.enabled);
                self.statements(&it.body);
            }
            Stmt::FilterBlock(it) => {
                self.expression(&it.filter);
                self.statements(&it.body);
            }
            Stmt::Macro(it) => self.definition(it),
            Stmt::CallBlock(it) => {
                self.call(&it.call);
                self.definition(&it.macro_decl);
            }
            Stmt::Do(it) => self.call(&it.call),
            // text and loop controls hold no expression; inheritance needs a second template, which a
            // chat template does not have
            _ => {}
        }
    }

    fn definition(&mut self, it: &Macro<'_>) {
        for value in &it.defaults {
            self.expression(value);
        }
        self.statements(&it.body);
    }

    fn call(&mut self, it: &Call<'_>) {
        self.expression(&it.expr);
        self.arguments(&it.args);
    }

    fn arguments(&mut self, all: &[CallArg<'_>]) {
        for argument in all {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn optional(&mut self, expression: Option<&Expr<'_>>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(it) => {
                self.expression(&it.expr);
                for bound in [&it.start, &it.stop, &it.step] {
                    self.optional(bound.as_ref());
                }
            }
            Expr::UnaryOp(it) => self.expression(&it.expr),
            Expr::BinOp(it) => {
                let function = match it.op {
                    BinOpKind::Add => Some("__add("),
                    BinOpKind::Concat => Some("__concat("),
                    BinOpKind::Mul => Some("__mul("),
                    BinOpKind::Rem => Some("__rem("),
                    _ => None,
                };
                // there are only parentheses and the sign between the operands
                let end_of_left = it.left.span().end_offset;
                let next = self.signs.partition_point(|s| s.start_offset < end_of_left);
                if let (Some(function), Some(sign)) = (function, self.signs.get(next).copied()) {
                    let span = it.span();
                    self.put(span.start_offset, span.start_offset, function);
                    self.put(sign.start_offset, sign.end_offset, ",");
                    self.put(span.end_offset, span.end_offset, ")");
                }
                self.expression(&it.left);
                self.expression(&it.right);
            }
            Expr::Compare(it) => {
                self.expression(&it.expr);
                for operand in &it.ops {
                    self.expression(&operand.expr);
                }
            }
            Expr::IfExpr(it) => {
                self.expression(&it.test_expr);
                self.expression(&it.true_expr);
                self.optional(it.false_expr.as_ref());
            }
            Expr::Filter(it) => {
                self.optional(it.expr.as_ref());
                self.arguments(&it.args);
            }
            Expr::Test(it) => {
                self.expression(&it.expr);
                self.arguments(&it.args);
            }
            Expr::GetAttr(it) => self.expression(&it.expr),
            Expr::GetItem(it) => {
                self.expression(&it.expr);
                self.expression(&it.subscript_expr);
            }
            Expr::Call(it) => self.call(it),
            Expr::List(it) => {
                for item in &it.items {
                    self.expression(item);
                }
            }
            Expr::Tuple(it) => {
                for item in &it.items {
                    self.expression(item);
                }
            }
            Expr::Map(it) => {
                for entry in it.keys.iter().chain(&it.values) {
                    self.expression(entry);
                }
            }
        }
    }
}
