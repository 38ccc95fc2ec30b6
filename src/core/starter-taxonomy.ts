import type { Classification, PromptClassifier } from './classifier.ts';
import type { StarterUseCase } from './use-case.ts';
import { OTHER_USE_CASE } from './use-case.ts';
import { hashOf, WordReader } from './word-reader.ts';

interface StarterTerms {
  readonly slug: string;
  readonly name: string;
  /** Say alone what is wanted: "translate", "cover letter". Comma-separated words or phrases. */
  readonly strong: string;
  /** Point to it: "restaurant", "python". */
  readonly weak: string;
}

/**
 * Order is the tie-break: what is to be done with a text (translate, summarise) stands before what the text is
 * about, and the two catch-alls come last.
 */
const STARTER_TERMS: readonly StarterTerms[] = [
  {
    slug: 'translation',
    name: 'Translation',
    strong:
      'translate,translation,translator,translating,übersetze,übersetzung,traduire,traduis,traduce,traducir,traduzir,翻译,翻訳,перевод,переведи',
    weak: 'into english,into spanish,into french,into german,into chinese,to english,in spanish,in french,in german,how do you say,in japanese',
  },
  {
    slug: 'summarization',
    name: 'Summarization',
    strong:
      'summarize,summarise,summary,summarizing,tldr,tl dr,key points,main points,key takeaways,zusammenfassen,résumer,resumen,总结,action items,meeting notes',
    weak: 'condense,shorten,transcript,bullet points,abstract,in a nutshell,extract,notes',
  },
  {
    slug: 'writing_email',
    name: 'Email & Messages',
    strong:
      'email,e mail,write a letter,reply to this,write a message,draft a reply,follow up email,out of office',
    weak: 'letter,reply,subject line,inbox,sincerely,regards,message to,dear,invitation,thank you note',
  },
  {
    slug: 'text_editing',
    name: 'Rewriting & Proofreading',
    strong:
      'proofread,rephrase,paraphrase,rewrite this,rewrite the,rewrite,grammar,spelling,reword,polish,make it sound,correct my,improve this text,edit this',
    weak: 'more formal,more professional,tone,sentence,paragraph,wording,concise,simplify,human like',
  },
  {
    slug: 'technical_code',
    name: 'Code & Software',
    strong:
      'debug,stack trace,stacktrace,traceback,segfault,refactor,regex,regular expression,unit test,unit tests,compile error,syntax error,null pointer,undefined is not a function,pull request,code review,source code,leetcode,typeerror,dockerfile,kubernetes,bash script,python script,sql query,programming language,exception,codebase,list comprehension,pandas dataframe',
    weak: 'code,python,javascript,typescript,java,rust,golang,kotlin,c++,c#,php,ruby,sql,html,css,react,node,npm,git,github,docker,linux,bash,shell,api,json,yaml,xml,function,class,method,array,loop,variable,algorithm,database,server,backend,frontend,bug,compiler,library,framework,endpoint,deploy,script,program,programming,developer,software,terminal,query,async,thread,recursion,django,flask,postgres,mysql,aws,azure,terraform,webpack,tensorflow,pytorch,arduino,excel macro',
  },
  {
    slug: 'math',
    name: 'Math & Calculation',
    strong:
      'solve,solve for,equation,equations,integral,derivative,calculate,calculus,algebra,geometry,trigonometry,probability that,theorem,square root,prime number,matrix,eigenvalue,word problem,percent of,fraction,multiply,divided by,polynomial,compute',
    weak: 'math,how much is,maths,sum,number,numbers,probability,proof,prove,percent,average,total,triangle,radius,area,volume,digits,times,plus,minus,convert,how many,hours,miles,each',
  },
  {
    slug: 'data_analysis',
    name: 'Data & Spreadsheets',
    strong:
      'spreadsheet,excel,google sheets,pivot table,dataset,data set,csv,data analysis,analyze the data,regression,correlation,dashboard,chart,histogram,classify the following,label the following,vlookup',
    weak: 'data,table,column,columns,rows,statistics,trend,metrics,report,kpi,sentiment,category,categories,analyze,cluster',
  },
  {
    slug: 'roleplay',
    name: 'Role-play',
    strong:
      'act as,roleplay,role play,pretend to be,pretend you are,you are now,i want you to act,stay in character,play the role,dungeon master,text adventure,dungeons and dragons,d&d,from now on you',
    weak: 'you are a,you are an,character,persona,npc,quest,in character,scenario,as if you were',
  },
  {
    slug: 'creative_writing',
    name: 'Stories & Creative Writing',
    strong:
      'write a story,short story,poem,haiku,lyrics,limerick,sonnet,screenplay,fan fiction,fanfiction,write a song,bedtime story,plot twist,novel,rap about,write a scene,tell me a story,worldbuilding,monologue',
    weak: 'story,fiction,fantasy,song,rhyme,chapter,protagonist,plot,villain,narrative,dialogue,style of,creative,verse,imagine,epic,tale,comedy',
  },
  {
    slug: 'professional_writing',
    name: 'Business & Web Writing',
    strong:
      'cover letter,resume,cv,linkedin,blog post,blog,press release,product description,job description,advertisement,marketing copy,seo,tweet,instagram,facebook post,social media,sales pitch,business plan,white paper,landing page,slogan,tagline,headline,contract,privacy policy,terms of service,proposal,speech,presentation,biography,caption,newsletter,slide deck',
    weak: 'marketing,brand,customers,audience,business,company,startup,article,bio,campaign,content,pitch,report,manager,client,copywriter,title,policy,legal,agreement,investor',
  },
  {
    slug: 'education',
    name: 'Homework & Learning',
    strong:
      'homework,essay,exam,quiz,multiple choice,study guide,lesson plan,flashcards,thesis,which of the following,explain like i m five,eli5,teach me,syllabus,literature review,research paper,tutor,assignment',
    weak: 'student,students,teacher,school,college,university,course,learn,study,explain,history,biology,chemistry,physics,philosophy,science,scientific,question,answer,academic,concept,theory,class,grade,definition,professor,describe,discuss,compare',
  },
  {
    slug: 'health',
    name: 'Health & Fitness',
    strong:
      'symptoms,symptom,diagnosis,doctor,medication,medicine,vaccine,side effects,blood pressure,headache,fever,workout,lose weight,diabetes,anxiety,depression,therapist,pregnant,dose,dosage,exercise routine,calories,bmi,injury,insomnia,treatment,disease',
    weak: 'health,healthy,pain,diet,exercise,sleep,gym,muscle,vitamin,protein,hospital,patient,sick,fitness,medical,weight,skin,infection,stress,clinic,nutrition,cancer',
  },
  {
    slug: 'food_dining',
    name: 'Food & Dining',
    strong:
      'recipe,recipes,restaurant,restaurants,coffee shop,starbucks,mcdonald,mcdonalds,pizza,sushi,cook,cooking,bake,baking,dinner,lunch,breakfast,menu,takeout,cafe,café,chipotle,brunch,dessert,vegetarian,vegan,ingredients,ingredient,oven,order food,food delivery,doordash,reservation for dinner,burger',
    weak: 'food,eat,coffee,tea,meal,meals,chicken,beef,fish,rice,pasta,bread,cheese,cake,wine,beer,drink,bar,chef,delicious,taste,spicy,kitchen,snack,soup,salad,tacos,hungry,grill,sauce,table for two',
  },
  {
    slug: 'travel',
    name: 'Travel & Places',
    strong:
      'flight,flights,hotel,hotels,itinerary,airport,vacation,road trip,visa,passport,tourist,sightseeing,airbnb,book a room,train to,things to do in,places to visit,boarding pass,layover,luggage,rent a car,rental car,travel to,plan a trip,directions to,how do i get to',
    weak: 'travel,trip,travelling,traveling,city,beach,tour,map,directions,train,bus,drive,route,abroad,destination,traffic,airline,taxi,uber,miles away,near me,island,country',
  },
  {
    slug: 'finance_banking',
    name: 'Money & Banking',
    strong:
      'bank account,credit card,debit card,mortgage,loan,interest rate,stock market,stocks,invest,investment,investing,taxes,tax return,401k,ira,bitcoin,crypto,cryptocurrency,exchange rate,budget,bank,savings account,credit score,refund,atm,transfer money,balance,insurance,portfolio,top up,paycheck,direct deposit,overdraft,routing number,payment',
    weak: 'money,pay,card,cash,bill,bills,account,income,salary,currency,dollars,euros,fee,fees,charge,charged,transaction,finance,financial,debt,fund,transfer,pin,withdraw,spending,inflation,market',
  },
  {
    slug: 'shopping_prices',
    name: 'Shopping & Prices',
    strong:
      'how much does,how much is a,how much do,cheapest,where can i buy,best price,on sale,discount,coupon,buy,amazon,product review,in stock,shipping,order status,track my order,under 100,compare prices,worth buying,shopping list,walmart,ebay,costco',
    weak: 'price,prices,cost,costs,shop,shopping,store,purchase,deal,cheap,expensive,warranty,brand new,laptop,phone,shoes,gift,order,delivery,return,review,recommend a,sale',
  },
  {
    slug: 'home_devices',
    name: 'Home & Devices',
    strong:
      'turn on,turn off,turn up,turn down,thermostat,dim the,lights,smart home,alexa,set an alarm,set a timer,set a reminder,remind me,volume,vacuum,washing machine,dishwasher,wifi,wi fi,router,printer,bluetooth,unlock,garage door,alarm for,timer for,iphone,android phone,reset my',
    weak: 'light,lamp,tv,television,heater,fan,device,battery,screen,speaker,alarm,timer,reminder,calendar,install,app,settings,house,home,plumbing,garden,lawn,repair,fix,car,tire,engine,phone,call',
  },
  {
    slug: 'entertainment',
    name: 'Entertainment & Games',
    strong:
      'movie,movies,netflix,tv show,tv series,play music,playlist,play some,spotify,video game,video games,anime,podcast,album,actor,actress,concert,trivia,board game,minecraft,box office,watch tonight,football,basketball,soccer,nba,nfl,premier league,marvel,star wars,pokemon',
    weak: 'song,songs,music,film,show,watch,series,episode,season,game,games,play,band,singer,artist,book,books,team,player,sport,sports,celebrity,joke,fun,comic,streaming,theater,score',
  },
  {
    slug: 'news_events',
    name: 'News & Events',
    strong:
      'news,latest news,headlines,election,current events,breaking,what happened today,weather,forecast,temperature outside,rain,president of,prime minister,politics,parliament,congress,war in,protest,upcoming events',
    weak: 'today,tonight,yesterday,tomorrow,this week,event,events,latest,recent,government,political,president,minister,law,festival,holiday,snow,storm,temperature,climate',
  },
  {
    slug: 'planning_advice',
    name: 'Planning & Advice',
    strong:
      'should i,give me advice,advice,plan for,schedule,to do list,todo list,how can i improve,how do i deal,help me decide,pros and cons,relationship,my boyfriend,my girlfriend,my wife,my husband,my boss,career,interview,job interview,brainstorm,ideas for,tips for,suggest,suggestions,step by step plan,goals,meeting,what would you recommend',
    weak: 'plan,planning,recommend,help me,tips,ideas,advise,decide,strategy,improve,goal,organize,best way,productivity,week,routine,habit,friend,friends,family,party,wedding,birthday,list of,names for,job,how to',
  },
  {
    slug: 'casual_chat',
    name: 'Casual Chat',
    strong:
      'how are you,how s it going,what s up,good morning,good evening,good night,good afternoon,nice to meet you,tell me a joke,thank you,thanks,who are you,what is your name,what s your name,are you human,are you real,are you a robot,i m bored,let s chat,i love you,how old are you,你好,こんにちは,what can you do,who made you,how do you feel,good bot,see you later,where are you from',
    weak: 'hi,hello,hey,yo,hola,bonjour,hallo,ciao,привет,bye,goodbye,cool,lol,haha,ok,okay,chat,bored,awesome',
  },
  {
    slug: 'quick_lookup',
    name: 'Quick Lookup',
    strong:
      'capital of,what does,meaning of,define,definition of,how tall,how old is,how far,how long is,how many people,population of,what time,what time is it,opening hours,phone number,what day,what year,when was,when did,who is,who was,who invented,who wrote,where is,synonym,synonyms,spell,zip code,time zone,when is,acronym',
    weak: 'what is,what are,what s,who,when,where,which,how many,fact,facts,name of,is it true,does',
  },
];

/** The use cases of day zero. Real traffic replaces them with the first discovery run. */
export const STARTER_USE_CASES: readonly StarterUseCase[] = STARTER_TERMS.map(
  ({ slug, name, strong, weak }) => ({
    slug,
    name,
    keywords: [...strong.split(','), ...weak.split(',')],
  }),
);

const STRONG_WEIGHT = 2;
const WEAK_WEIGHT = 1;
/** The first words say what is asked. */
const OPENING_WORDS = 12;
const OPENING_FACTOR = 1.5;
/** What is to be done with a text outweighs what the text is about, when it is said at the beginning. */
const OPENING_TASK_FACTOR = 3;
const TASKS: ReadonlySet<string> = new Set(['translation', 'summarization', 'text_editing']);
/** A text longer than this is a request with something pasted behind it. */
const PASTED_WORDS = 60;
const PASTED_FACTOR = 0.3;
const WORDS_MAX = 400;
/** A power of two, far more than there are first words, and little enough for the processor's nearest cache. */
const SIEVE_SIZE = 8_192;
/** A short question with a question word is a look-up unless a topic speaks up clearly: "what is python?" */
const SHORT_QUESTION_WORDS = 6;
const SHORT_QUESTION_WEIGHT = 2;
/** Question words stand in prompts of every kind: half of what a topic's word weighs. */
const LOOKUP_FACTOR = 0.5;
const LOOKUP_OPENING =
  /^(?:what(?: is|'?s| are| was| were| does)|who|when|where is|where was|which|how (?:tall|old|far|long|big|many|high|deep)|define|was ist|wer|qué es|quién|qu'?est|什么是)\b/;
const CODE_MARK =
  /```|\bdef \w+\(|\bfunction\s*\w*\s*\(|=>\s*[{(]|#include|\bimport \w+|;\s*\n|\bconsole\.log|<\/\w+>|\$ \w+ /;
const CODE_WEIGHT = 4;
const UNSPACED = /[぀-ヿ㐀-鿿가-힯]/;

const NOT_ASCII = /[^\0-\x7f]/;

/** A word or phrase of the taxonomy with what it speaks for. */
interface Term {
  readonly id: number;
  readonly words: readonly string[];
  /** Of each word. */
  readonly hashes: readonly number[];
  readonly votes: Vote[];
}

interface Vote {
  readonly at: number;
  readonly weight: number;
  readonly isTask: boolean;
}

/**
 * Keywords to use case: the classifier of day zero, without confidence. The sum of weighted hits decides, and
 * the order of the taxonomy breaks ties.
 *
 * What hits nothing is "quick_lookup" when it is a question, else "other": a greeting says so with its own
 * words, and an unknown text is not chat. Text without letters is "other".
 */
export class StarterClassifier implements PromptClassifier {
  /** Terms by the hash of their first word, shorter ones first. */
  readonly #terms = new Map<number, Term[]>();
  /** 1 where the first word of a term falls: most words of a prompt are turned away here. */
  readonly #mayBegin = new Uint8Array(SIEVE_SIZE);
  readonly #unspaced: { term: string; vote: Vote }[] = [];
  readonly #words = new WordReader(WORDS_MAX);
  /** The text in which each term was met last, so that it counts once. */
  readonly #metIn: Uint32Array;
  #textCount = 0;

  constructor() {
    const known = new Map<string, Term>();
    STARTER_TERMS.forEach(({ slug, strong, weak }, at) => {
      const factor = at === QUICK_LOOKUP ? LOOKUP_FACTOR : 1;
      for (const term of strong.split(','))
        this.#learn(known, term, { at, weight: STRONG_WEIGHT * factor, isTask: TASKS.has(slug) });
      for (const term of weak.split(','))
        this.#learn(known, term, { at, weight: WEAK_WEIGHT * factor, isTask: false });
    });
    this.#metIn = new Uint32Array(known.size);
  }

  #learn(known: Map<string, Term>, text: string, vote: Vote): void {
    if (UNSPACED.test(text)) {
      this.#unspaced.push({ term: text, vote });
      return;
    }
    const words = text.split(' ');
    const term = known.get(text) ?? { id: known.size, words, hashes: words.map(hashOf), votes: [] };
    term.votes.push(vote);
    if (known.has(text)) return;
    known.set(text, term);
    const hash = term.hashes[0] ?? 0;
    this.#mayBegin[hash & (SIEVE_SIZE - 1)] = 1;
    const others = this.#terms.get(hash) ?? [];
    this.#terms.set(
      hash,
      [...others, term].sort((one, other) => one.words.length - other.words.length),
    );
  }

  classify(text: string): Classification {
    const head = text.slice(0, 8 * WORDS_MAX);
    const isAscii = !NOT_ASCII.test(head);
    const folded = isAscii ? head.toLowerCase() : head.normalize('NFKC').toLowerCase().replaceAll('’', "'");
    const wordCount = this.#words.read(folded, isAscii);
    if (wordCount === 0 && !/\p{L}/u.test(folded)) return { useCase: OTHER_USE_CASE, confidence: null };
    const scores = new Float64Array(STARTER_TERMS.length);
    this.#countTerms(scores);
    if (!isAscii) {
      for (const { term, vote } of this.#unspaced)
        if (folded.includes(term)) add(scores, vote.at, vote.weight * 2);
    }
    if (CODE_MARK.test(text.slice(0, 4_000))) add(scores, TECHNICAL_CODE, CODE_WEIGHT);
    const isLookup = LOOKUP_OPENING.test(folded.trimStart());
    if (isLookup && wordCount <= SHORT_QUESTION_WORDS) add(scores, QUICK_LOOKUP, SHORT_QUESTION_WEIGHT);
    let best = 0;
    for (let at = 1; at < scores.length; at++)
      if ((scores[at] as number) > (scores[best] as number)) best = at;
    if (scores[best] === 0) {
      const isQuestion = isLookup || /[?？]\s*$/.test(folded);
      return { useCase: isQuestion ? 'quick_lookup' : OTHER_USE_CASE, confidence: null };
    }
    return { useCase: STARTER_TERMS[best]?.slug ?? OTHER_USE_CASE, confidence: null };
  }

  /** Every term counts once, where it stands first: a pasted document repeats its words. */
  #countTerms(scores: Float64Array): void {
    const words = this.#words;
    const bodyFactor = words.count > PASTED_WORDS ? PASTED_FACTOR : 1;
    const textNumber = ++this.#textCount >>> 0;
    for (let at = 0; at < words.count; at++) {
      const hash = words.hashes[at] as number;
      if (this.#mayBegin[hash & (SIEVE_SIZE - 1)] === 0) continue;
      const terms = this.#terms.get(hash);
      if (terms === undefined) continue;
      for (const term of terms) {
        if (this.#metIn[term.id] === textNumber || !words.hasAt(at, term)) continue;
        this.#metIn[term.id] = textNumber;
        for (const vote of term.votes) {
          const opening = vote.isTask ? OPENING_TASK_FACTOR : OPENING_FACTOR;
          add(scores, vote.at, vote.weight * (at < OPENING_WORDS ? opening : bodyFactor));
        }
      }
    }
  }
}

const TECHNICAL_CODE = STARTER_TERMS.findIndex(({ slug }) => slug === 'technical_code');
const QUICK_LOOKUP = STARTER_TERMS.findIndex(({ slug }) => slug === 'quick_lookup');

function add(scores: Float64Array, at: number, weight: number): void {
  if (at >= 0) scores[at] = (scores[at] as number) + weight;
}
